"""One model call inside a turn: opened with a hold, closed with its message and its charge.

Every function here is one transaction, or part of its caller's. Locks are taken in one order: the
person's row (the ledger takes it), then the turn, then the thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from accounts.services import lock_user
from billing import ledger
from billing.errors import PriceUnknown, SpendingRefused
from billing.prices import rates_for
from billing.pricing import Rates, Usage, as_json, output_within, price
from conversations import history
from conversations.contracts import Model, ProviderError, Reason, Request
from conversations.errors import LeaseLost
from conversations.leases import note, owned
from conversations.models import Message, Turn, UserFile
from conversations.parts import Text, ToolCall, ToolResult
from conversations.reply import Reply, failure_of, usage_of
from conversations.threads import append, rows_of, take_in, tools_of, waiting_messages

OUTPUT_MAX = 16_000  # tokens of one step: long answers go on in the next
OUTPUT_MIN = 1_024  # below this an answer is not worth its input
STEPS_MAX = 30  # model calls of one turn; the last one may not call tools
CACHE_LIVES = timedelta(minutes=5)  # the automatic cache's time to live, renewed by each reading
HOLD_FOR = timedelta(minutes=5)  # a step that takes longer settles late, which the ledger allows
GO_ON = "Go on exactly where you stopped. Repeat nothing."


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


@dataclass(frozen=True, slots=True)
class Closed:
    """What follows a step: tools to run, another step, a sentence for the person, or nothing."""

    calls: tuple[ToolCall, ...] = ()
    next: Step | None = None
    failure: str = ""


def open_step(turn: Turn, model: Model, *, continues: bool = False) -> Step | None:
    """Hold what the next model call may cost and gather what it is to read.

    Waiting messages are taken in first. None means no: `turn.failure` then says why.
    """
    if turn.steps:
        take_in(turn, waiting_messages(turn.thread_id))
    rows = rows_of(Message.objects.filter(thread_id=turn.thread_id, superseded=False))
    try:
        rates = rates_for(model.id)
        prompt = _prompt(turn, rows)
        wanted = min(OUTPUT_MAX, model.output_max)
        estimate = price(replace(prompt, output=wanted), rates)
        left = _hold(turn, estimate)
    except (SpendingRefused, PriceUnknown) as refusal:
        refuse(turn, getattr(refusal, "key", "no_price"))
        return None
    least = price(replace(prompt, output=OUTPUT_MIN), rates)
    if left < least:
        refuse(turn, "too_dear" if least > settings.TURN_CAP_USD > 0 else "used_up")
        return None
    number, turn.steps = turn.steps, turn.steps + 1
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


def _hold(turn: Turn, estimate: Decimal) -> Decimal:
    """Dollars that this step may spend: from what is available, and then from the overdraft if it is free."""
    if turn.steps == 0:
        held = ledger.hold(turn.user_id, key=turn.hold_key, estimate=estimate, expires_in=HOLD_FOR)
        if held.amount >= estimate:
            return estimate
    left: Decimal = ledger.extend(turn.hold_key, needed=estimate, expires_in=HOLD_FOR)
    return left


@transaction.atomic
def close_step(step: Step, reply: Reply, error: ProviderError | None = None) -> Closed:
    """Keep what the model said and charge for it, whole or cut short, in one commit.

    Raises LeaseLost when another process has taken the turn over, and when this very step was closed
    already (a commit whose answer got lost); nothing is written then, and recovery reads the rows.
    """
    usage = usage_of(step.request, reply)
    cost = price(usage, step.rates) if usage else Decimal(0)
    if usage:
        details = {
            "model": step.model.id,
            "usage": as_json(usage),
            "price": step.rates.price_id,
        }
        ledger.settle(
            step.hold_key, key=f"turn:{step.turn_id}:step:{step.number}", amount=cost, details=details
        )
    if not cost:
        lock_user(step.user_id)  # as the ledger would have: the person's row is the first lock of every path
    reason = reply.done.reason if reply.done else None
    parts = reply.kept()
    failure = failure_of(reply, error, first=step.number == 0)
    note(step.turn_id, owner=step.owner, cost=F("cost") + cost, failure=failure)
    if parts:
        said: dict[str, Any] = {"step": step.number, "reason": reason or "", "cost": cost}
        said["usage"] = as_json(usage) if usage else None
        said["superseded"] = failure == "refused"  # a refused exchange makes the next one refused too
        try:
            append(step.turn_id, step.thread_id, step.chat_id, "assistant", parts, **said)
        except IntegrityError as error:
            raise LeaseLost(f"turn {step.turn_id}: step {step.number} is closed") from error
    if failure or reason is None:
        return Closed(failure=failure)
    if reply.calls:
        return Closed(calls=tuple(reply.calls))
    if reason not in (Reason.LENGTH, Reason.PAUSE) or not parts:
        return Closed()
    if reason == Reason.LENGTH:
        append(step.turn_id, step.thread_id, step.chat_id, "user", (Text(GO_ON),))
    return _next(step, continues=True)


def _next(step: Step, *, continues: bool = False) -> Closed:
    """Open the step behind this one, unless the person wants no more. Call with the turn's row locked."""
    turn = owned(step.turn_id)
    if turn.stop_requested:
        return Closed()
    return Closed(next=open_step(turn, step.model, continues=continues), failure=turn.failure)


@transaction.atomic
def record_result(
    step: Step,
    result: ToolResult,
    *,
    cost: Decimal,
    details: dict[str, Any],
    files: Sequence[UserFile],
    last: bool,
) -> Closed:
    """Keep what a tool gave and charge for it; behind the last one the next step is opened.

    A completed call is never run or charged again: from this commit on the answer stands.
    """
    if cost:
        key = f"turn:{step.turn_id}:tool:{result.call_id}"
        ledger.settle(step.hold_key, key=key, amount=cost, kind="tool", details=details)
    else:
        lock_user(step.user_id)
    new = _is_open(step.turn_id, result.call_id)
    note(step.turn_id, owner=step.owner, cost=F("cost") + (cost if new else 0))
    if new:
        UserFile.objects.bulk_create(files)
        append(step.turn_id, step.thread_id, step.chat_id, "user", (result,))
    return _next(step) if last else Closed()


def _is_open(turn_id: int, call_id: str) -> bool:
    """Does a call still wait for its result? Not when it was kept by a commit whose answer got lost."""
    rows = rows_of(Message.objects.filter(turn_id=turn_id))
    return any(call.id == call_id for call in history.open_calls(rows))
