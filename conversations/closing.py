"""The end of a model call and of each tool call: kept and charged in one commit, and what follows it.

Locks are taken in one order: the person's row (the ledger takes it), then the turn, then the thread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.services import lock_user
from billing import ledger
from billing.prices import terms
from billing.pricing import as_json
from conversations import history
from conversations.charging import absorb_failed, charge
from conversations.contracts import ProviderError, Reason
from conversations.epochs import Need, can_be_summed_up
from conversations.errors import LeaseLost
from conversations.leases import note, owned
from conversations.models import Message, Turn, UserFile
from conversations.parts import Text, ToolCall, ToolResult
from conversations.reply import Reply, failure_of, usage_of
from conversations.said import remember
from conversations.steps import Place, Step, open_step
from conversations.threads import append, rows_of

GO_ON = "Go on exactly where you stopped. Repeat nothing."


@dataclass(frozen=True, slots=True)
class Closed:
    """What follows a step: tools to run, another step, a sentence for the person, or nothing."""

    calls: tuple[ToolCall, ...] = ()
    next: Step | None = None
    failure: str = ""
    summed_up: Decimal | None = None  # dollars: what it cost to begin a new epoch


@transaction.atomic
def close_step(step: Step, reply: Reply, error: ProviderError | None = None) -> Closed:
    """Keep what the model said and charge for it, whole or cut short, in one commit.

    Raises LeaseLost when another process has taken the turn over, and when this very step was closed
    already (a commit whose answer got lost); nothing is written then, and recovery reads the rows.
    """
    usage, cost = usage_of(step.request, reply), Decimal(0)
    if usage:
        cost = charge(step, usage)
    elif reply.usage:
        absorb_failed(step, reply.usage)
    if not cost:
        lock_user(step.user_id)  # as the ledger would have: the person's row is the first lock of every path
    reason = reply.done.reason if reply.done else None
    parts = reply.kept()
    failure = failure_of(reply, error, first=step.number == 0)
    full = failure == "context" and can_be_summed_up(step.turn_id, step.thread_id)
    failure = "" if full else failure
    note(step.turn_id, owner=step.owner, cost=F("cost") + cost, failure=failure)
    if parts:
        said: dict[str, Any] = {"step": step.number, "reason": reason or "", "cost": cost}
        said["usage"] = as_json(usage) if usage else None
        said["superseded"] = failure == "refused"  # a refused exchange makes the next one refused too
        try:
            message = append(step.turn_id, step.thread_id, step.chat_id, "assistant", parts, **said)
        except IntegrityError as error:
            raise LeaseLost(f"turn {step.turn_id}: step {step.number} is closed") from error
        if not message.superseded:
            remember(message)
    if full:
        return _next(step, continues=bool(parts), need=Need.MUST)
    if failure or reason is None:
        return Closed(failure=failure)
    if reply.calls:
        return Closed(calls=tuple(reply.calls))
    if reason not in (Reason.LENGTH, Reason.PAUSE) or not parts:
        return Closed()
    if reason == Reason.LENGTH:
        remember(append(step.turn_id, step.thread_id, step.chat_id, "user", (Text(GO_ON),)))
    return _next(step, continues=True)


def _next(step: Place, *, continues: bool = False, need: Need | None = None) -> Closed:
    """Open the step behind this one, unless the person wants no more. Call with the turn's row locked."""
    turn = owned(step.turn_id)
    if turn.stop_requested:
        return Closed()
    opened = open_step(turn, step.model, continues=continues, need=need)
    return Closed(next=opened, failure=turn.failure)


@transaction.atomic
def record_result(
    step: Place,
    result: ToolResult,
    *,
    cost: Decimal,
    details: dict[str, Any],
    files: Sequence[UserFile],
    last: bool,
) -> Closed:
    """Keep what a tool gave and charge for it; behind the last one the next step is opened.

    `cost` is what it costs us; the owner's margin comes on top of it here. A completed call is never run or
    charged again: from this commit on the answer stands.
    """
    charged = terms().on(cost)
    if cost:
        key = f"turn:{step.turn_id}:tool:{result.call_id}"
        ledger.settle(step.hold_key, key=key, amount=charged, cost=cost, kind="tool", details=details)
    else:
        lock_user(step.user_id)
    new = _is_open(step.turn_id, result.call_id)
    note(step.turn_id, owner=step.owner, cost=F("cost") + (charged if new else 0))
    if new:
        UserFile.objects.bulk_create(files)
        remember(append(step.turn_id, step.thread_id, step.chat_id, "user", (result,)))
    return _next(step) if last else Closed()


@transaction.atomic
def charge_stopped_call(turn_id: int, call_id: str, *, cost: Decimal, details: Mapping[str, Any]) -> None:
    """Charge for a call whose turn was ended without it, once; its result is nobody's any more."""
    if cost:
        key, charged = f"turn:{turn_id}:tool:{call_id}", terms().on(cost)
        ledger.settle(f"turn:{turn_id}", key=key, amount=charged, cost=cost, kind="tool", details=details)
        Turn.objects.filter(pk=turn_id).update(cost=F("cost") + charged)


def _is_open(turn_id: int, call_id: str) -> bool:
    """Does a call still wait for its result? Not when it was kept by a commit whose answer got lost."""
    rows = rows_of(Message.objects.filter(turn_id=turn_id))
    return any(call.id == call_id for call in history.open_calls(rows))
