"""Telegram's list of Star transactions against our payments: what was missed is made up for.

The bot process fetches the pages, for it has the token; here they are compared. Every act is one that a
live update may do at the same moment, so each is keyed and done once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.models import User
from accounts.profiles import Profile
from accounts.services import sync_user
from billing import refunds, stars
from billing.models import Payment, Reconciliation, UnmatchedTransaction

PAGE = 100  # getStarTransactions: "Values between 1-100 are accepted"
OVERLAP = 100  # transactions looked at again, should Telegram have put one in late
PARTNER_MAX = 200


@dataclass(frozen=True, slots=True)
class Transaction:
    """One line of Telegram's list."""

    id: str  # of a payment its charge id; a refund has its payment's
    kind: Literal["payment", "refund", "chargeback", "other"]
    incoming: bool
    stars: int
    at: datetime
    partner: str = ""
    person: Profile | None = None
    payload: str = ""


@dataclass(slots=True)
class Found:
    """What a run changed."""

    credited: int = 0
    taken_back: int = 0
    unmatched: int = 0

    @property
    def changed(self) -> bool:
        return bool(self.credited or self.taken_back or self.unmatched)

    def __str__(self) -> str:
        return f"{self.credited} credited, {self.taken_back} taken back, {self.unmatched} unmatched"


def begin() -> int:
    """The number of transactions to skip: all that were gone through, less the overlap."""
    row, _ = Reconciliation.objects.get_or_create(pk=1)
    return max(0, row.seen - OVERLAP)


def compare(page: Sequence[Transaction], found: Found) -> None:
    """Make up for what a page says and our rows do not; adds to `found`."""
    ids = [line.id for line in page]
    rows = Payment.objects.filter(charge_id__in=ids).values_list("charge_id", "state")
    states: dict[str | None, str] = dict(rows)
    for line in page:
        if line.kind == "payment" and line.person is not None:
            if line.id not in states:
                states[line.id] = _credit(line, line.person)
                found.credited += 1
        elif line.kind in ("refund", "chargeback") and line.id in states:
            if states[line.id] != Payment.State.REFUNDED:
                refunds.gone_back(line.id, chargeback=line.kind == "chargeback")
                states[line.id] = Payment.State.REFUNDED
                found.taken_back += 1
        else:
            found.unmatched += _list(line)


def note(seen: int) -> None:
    """So many lines are gone through; a run that is broken off goes on from there."""
    Reconciliation.objects.filter(pk=1, seen__lt=seen).update(seen=seen)


def finish(seen: int, found: Found) -> None:
    """A run came to the end of the list."""
    Reconciliation.objects.update_or_create(
        pk=1, defaults={"seen": seen, "ran_at": Now(), "found": str(found)}
    )


def ask() -> None:
    """Have the bot run it now rather than at its next time."""
    Reconciliation.objects.update_or_create(pk=1, defaults={"asked_at": Now()})


def is_asked() -> bool:
    waiting = Q(ran_at__isnull=True) | Q(ran_at__lt=F("asked_at"))
    return Reconciliation.objects.filter(waiting, asked_at__isnull=False).exists()


@transaction.atomic
def _credit(line: Transaction, person: Profile) -> str:
    known = User.objects.filter(telegram_id=person.telegram_id).first()
    user = known or sync_user(person)
    paid = stars.Paid(charge_id=line.id, payload=line.payload, stars=line.stars, at=line.at)
    return stars.take_payment(user.pk, paid, note="Found by reconciliation.").state


def _list(line: Transaction) -> int:
    _, is_new = UnmatchedTransaction.objects.get_or_create(
        transaction_id=line.id,
        incoming=line.incoming,
        defaults={"stars": line.stars, "partner": line.partner[:PARTNER_MAX], "happened_at": line.at},
    )
    return int(is_new)
