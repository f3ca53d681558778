"""One model call inside a turn, opened: what it may cost is held, what it reads is gathered.

How it ends is in closing.py. Everything here is part of its caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from billing import ledger
from billing.errors import PriceUnknown, SpendingRefused
from billing.prices import rates_for
from billing.pricing import Rates, Usage, output_within, price
from conversations import history
from conversations.contracts import Model, Request
from conversations.models import Message, Turn
from conversations.parts import ToolCall
from conversations.threads import rows_of, take_in, tools_of, waiting_messages

OUTPUT_MAX = 16_000  # tokens of one step: long answers go on in the next
OUTPUT_MIN = 1_024  # below this an answer is not worth its input
STEPS_MAX = 30  # model calls of one turn; the last one may not call tools
CACHE_LIVES = timedelta(minutes=5)  # the automatic cache's time to live, renewed by each reading
HOLD_FOR = timedelta(minutes=5)  # a step that takes longer settles late, which the ledger allows


@dataclass(frozen=True, slots=True)
class Step:
    """A model call that may be made, or, with `calls`, one that was made and waits for its tools."""

    turn_id: int
    thread_id: int
    chat_id: int
    user_id: int
    owner: str
    number: int
    model: Model
    rates: Rates
    request: Request
    continues: bool = False  # goes on in the middle of the answer before
    calls: tuple[ToolCall, ...] = ()

    @property
    def hold_key(self) -> str:
        return f"turn:{self.turn_id}"


def open_step(turn: Turn, model: Model, *, continues: bool = False, first: bool = False) -> Step | None:
    """Hold what the next model call may cost and gather what it is to read.

    Waiting messages are taken in first, unless it is the `first` of a turn just made, which has them and
    counts this step already. None means no: `turn.failure` then says why.
    """
    number = 0 if first else turn.steps
    if number:
        take_in(turn, waiting_messages(turn.thread_id))
    rows = rows_of(Message.objects.filter(thread_id=turn.thread_id, superseded=False))
    try:
        rates = rates_for(model.id)
        prompt = _prompt(turn, rows)
        wanted = min(OUTPUT_MAX, model.output_max)
        estimate = price(replace(prompt, output=wanted), rates)
        left = _hold(turn, number, estimate)
    except (SpendingRefused, PriceUnknown) as refusal:
        refuse(turn, getattr(refusal, "key", "no_price"))
        return None
    least = price(replace(prompt, output=OUTPUT_MIN), rates)
    if left < least:
        refuse(turn, "too_dear" if least > settings.TURN_CAP_USD > 0 else "used_up")
        return None
    if not first:
        turn.steps = number + 1
        turn.save(update_fields=["steps"])
    request = Request(
        system=turn.thread.system,
        messages=history.to_request_messages(rows),
        tools=tools_of(turn.thread) if model.tools else (),
        output_max=min(wanted, output_within(left, prompt, rates)),
        may_call=number == 0 or (number + 1 < STEPS_MAX and left >= 2 * least),
    )
    place = (turn.pk, turn.thread_id, turn.thread.chat_id, turn.user_id, turn.lease_owner)
    return Step(*place, number=number, model=model, rates=rates, request=request, continues=continues)


def refuse(turn: Turn, failure: str) -> None:
    """Note why a turn goes no further; its person is told by the sentence of that key."""
    turn.failure = failure
    turn.save(update_fields=["failure"])


def _prompt(turn: Turn, rows: Sequence[history.Row]) -> Usage:
    """What the next prompt will be charged as: what the vendor counted is read from its cache while that lives."""
    counted, at, new = history.prompt_of(rows, turn.thread.system, turn.thread.tools)
    warm = at is not None and timezone.now() - at < CACHE_LIVES
    return Usage(cache_read=counted, cache_write_5m=new) if warm else Usage(cache_write_5m=counted + new)


def _hold(turn: Turn, number: int, estimate: Decimal) -> Decimal:
    """Dollars that this step may spend: from what is available, and then from the overdraft if it is free."""
    if number == 0:
        held = ledger.hold(turn.user_id, key=turn.hold_key, estimate=estimate, expires_in=HOLD_FOR)
        if held.amount >= estimate:
            return estimate
    left: Decimal = ledger.extend(turn.hold_key, needed=estimate, expires_in=HOLD_FOR)
    return left
