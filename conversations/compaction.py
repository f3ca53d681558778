"""The end of a call that sums a thread up: charged, and a new epoch begun, in one commit."""

from collections.abc import Iterable
from decimal import Decimal

from django.db import transaction
from django.db.models import F
from django.template.loader import render_to_string
from django.utils import timezone

from accounts.services import lock_user
from billing.models import BalanceOperation
from conversations import said
from conversations.charging import absorb_failed, charge
from conversations.closing import Closed
from conversations.contracts import ProviderError, Reason, Tool
from conversations.epochs import Need
from conversations.errors import LeaseLost
from conversations.files import list_files
from conversations.leases import note, owned
from conversations.models import Chat, Turn
from conversations.parts import Summary, text_of
from conversations.reply import Reply, usage_of
from conversations.steps import Step, open_step, refuse
from conversations.threads import append, head_of, instructions_in, rows_of, said_in
from conversations.transcript import carried_over

FILES_NAMED_MAX = 200  # the newest of a thread, by their ids


@transaction.atomic
def close_summary(step: Step, reply: Reply, error: ProviderError | None, *, tools: Iterable[Tool]) -> Closed:
    """Begin a new epoch with what the model said, charge for it, and open the step that answers.

    Stopped or failed, the old epoch goes on as if nothing had been asked; what was used is charged then
    too. Raises LeaseLost like close_step.
    """
    lock_user(step.user_id)
    if BalanceOperation.objects.filter(key=step.key).exists():
        raise LeaseLost(f"{step.key} is closed")
    usage, cost = usage_of(step.request, reply), Decimal(0)
    if usage:
        cost = charge(step, usage)
    elif reply.usage:
        absorb_failed(step, reply.usage)
    note(step.turn_id, owner=step.owner, cost=F("cost") + cost)
    turn = owned(step.turn_id)
    if turn.stop_requested or (reply.done is None and error is None):
        return Closed()
    whole = reply.done is not None and reply.done.reason in (Reason.END, Reason.LENGTH)
    summary = text_of(reply.kept()).strip() if whole else ""
    if summary:
        _begin_epoch(turn, step, summary, cost, tools)
    elif step.must:
        refuse(turn, error.key if error else "context")
        return Closed(failure=turn.failure)
    assert step.sums_up_for is not None, "only a summary is closed here"
    # What was written meanwhile waits still, and is taken in behind the summary.
    next_step = open_step(
        turn, step.sums_up_for, continues=step.continues, need=None if summary else Need.NONE
    )
    return Closed(next=next_step, failure=turn.failure, summed_up=cost if summary else None)


def _begin_epoch(turn: Turn, step: Step, summary: str, cost: Decimal, tools: Iterable[Tool]) -> None:
    """Append what the new epoch opens with; the rows before it stay, and are said no more."""
    thread = turn.thread
    carried = carried_over(rows_of(said_in(thread)))
    opening = render_to_string(
        "prompts/epoch.md",
        {
            "summary": summary,
            "carried": carried,
            "files": list_files(thread.pk)[-FILES_NAMED_MAX:],
            "today": timezone.now().date(),
        },
    )
    parts = (Summary(opening.strip(), str(cost)), *carried.files, *carried.waiting)
    opener = append(turn.pk, thread.pk, thread.chat_id, "user", parts, step=step.number, cost=cost)
    assert opener.seq is not None, "append gives it"
    alone = thread.chat.kind == Chat.Kind.PRIVATE
    thread.instructions = instructions_in(thread.chat, turn.user)
    began = thread.created_at.date()
    thread.system, thread.tools = head_of(thread.instructions, tools, began=began, alone=alone)
    thread.epoch_begins = opener.seq
    thread.save(update_fields=["instructions", "system", "tools", "epoch_begins"])
    said.forget(thread.pk)
