"""Recordings heard before their turn: asked for once, charged once, whatever is killed meanwhile.

The transcript is kept in the commit that charges for it, under the same key. A process that dies
before that commit has charged nothing; one that comes after it finds the words and asks nobody.
"""

import secrets
from datetime import timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models.functions import Now

from accounts.services import lock_user
from billing import ledger
from billing.absorbed import absorb
from billing.errors import PriceUnknown, SpendingRefused
from billing.models import AbsorbedCost
from billing.prices import terms, unit_price
from billing.pricing import NANO
from config.patience import patiently
from conversations.hearing import UNIT, Heard, NotHeard, Recording, Transcriber
from conversations.models import Transcript

HOLD_FOR = timedelta(minutes=5)
KEPT_FOR = timedelta(days=7)


async def transcribe(user_id: int, key: str, recording: Recording, transcriber: Transcriber) -> Transcript:
    """What was said in a recording, its price charged to the person. Raises NotHeard.

    `key` is natural, `transcribe:<chat>:<message>`: the same recording is never paid for twice.
    """
    known = await patiently(_begin)(user_id, key, recording.seconds)
    if known is not None:
        return known
    try:
        heard = await transcriber.listen(recording)
    except NotHeard:
        await patiently(ledger.release)(key)
        raise
    seconds = max(recording.seconds, heard.seconds, 1)
    return await patiently(_keep)(user_id, key, heard, seconds=seconds, by=transcriber.name)


@transaction.atomic
def _begin(user_id: int, key: str, seconds: int) -> Transcript | None:
    """The transcript if there is one; else the money for it is held. Raises NotHeard."""
    lock_user(user_id)
    known = Transcript.objects.filter(key=key).first()
    if known is not None:
        return known
    try:
        cost = terms().on(cost_of(max(seconds, 1)))
        ledger.hold(user_id, key=key, estimate=cost, expires_in=HOLD_FOR)
        if ledger.extend(key, needed=cost, expires_in=HOLD_FOR) < cost:
            raise NotHeard("no_funds")  # and the hold is rolled back with it
    except SpendingRefused as refusal:
        raise NotHeard(refusal.key) from refusal
    except PriceUnknown as unknown:
        raise NotHeard("key", str(unknown)) from unknown
    return None


@transaction.atomic
def _keep(user_id: int, key: str, heard: Heard, *, seconds: int, by: str) -> Transcript:
    """Keep the words and charge for them. When another process was quicker, its words stand."""
    lock_user(user_id)
    known = Transcript.objects.filter(key=key).first()
    cost, details = cost_of(seconds), {"seconds": seconds, "unit": UNIT, "model": by}
    if known is not None:
        ledger.release(key)
        absorb(
            f"{key}:{secrets.token_hex(4)}",
            user_id=user_id,
            kind=AbsorbedCost.Kind.HEARD_AGAIN,
            cost=cost,
            details=details,
            charged_as=key,
        )
        return known
    ledger.settle(key, key=key, amount=terms().on(cost), cost=cost, kind="tool", details=details)
    ledger.release(key)
    return Transcript.objects.create(key=key, user_id=user_id, text=heard.text.replace("\x00", ""))


def cost_of(seconds: int) -> Decimal:
    """Dollars we are asked for so many seconds of a recording, before the owner's margin. Raises PriceUnknown."""
    return (unit_price(UNIT) * seconds).quantize(NANO)


def tell(key: str) -> None:
    """The person has been shown what was heard."""
    Transcript.objects.filter(key=key, told_at=None).update(told_at=Now())


def prune_transcripts() -> int:
    """Forget what the conversations have long since taken in."""
    return Transcript.objects.filter(created_at__lt=Now() - KEPT_FOR).delete()[0]
