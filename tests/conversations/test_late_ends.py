"""What comes late all the same counts: an edit behind a summary, a Stop behind the end, tools that end together."""

import asyncio
import threading
from contextlib import aclosing
from decimal import Decimal

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from accounts.models import User
from accounts.services import lock_user
from billing.models import BalanceOperation
from billing.pricing import Usage
from conversations import edits, loop
from conversations.again import retry_turn
from conversations.closing import close_step
from conversations.compaction import close_summary
from conversations.contracts import Done, Reason, Tool, ToolContext, ToolOutput
from conversations.events import Event, tool_call_event
from conversations.models import Message, Thread, Turn
from conversations.parts import Summary, Text, ToolCall, ToolResult
from conversations.providers import models
from conversations.reply import Reply
from conversations.steps import Step
from conversations.threads import append, receive
from conversations.turns import finish_turn
from tests.conversations.test_compaction import OWNER, WHOLE, epoch, said, step  # noqa: F401  the same thread
from tests.people import ANNA
from tools.services import write_tool_calls


def answered(words: str) -> Reply:
    return Reply([Text(words)], Usage(input=10, output=5), Done(Reason.END))


def test_an_edit_behind_a_summary_leaves_the_summary(step: Step):  # noqa: F811
    user, thread = User.objects.get(), Thread.objects.get()
    receive(thread, author=user, messages=[(3, (Text("Three"),))])
    closed = close_summary(step, WHOLE, None, tools=[])
    assert closed.next is not None
    close_step(closed.next, answered("2 and 3"))
    finish_turn(step.turn_id, owner=OWNER, sent=[])
    with transaction.atomic():
        edits.amend(
            lock_user(user.pk),
            chat_telegram_id=ANNA,
            telegram_id=3,
            edited_at=timezone.now(),
            parts=(Text("Three!"),),
            owner=OWNER,
            models=models(),
        )
    assert any(isinstance(part, Summary) for parts in epoch() for part in parts)


def test_an_answer_that_was_whole_before_it_was_stopped_is_asked_anew_from_the_question(step: Step):  # noqa: F811
    finish_turn(step.turn_id, owner=OWNER, sent=[])
    user = User.objects.get()
    Message.objects.all().delete()
    Turn.objects.all().delete()
    late = said(user, 7, "Seven")
    Turn.objects.filter(pk=late.turn_id).update(stop_requested=True)
    close_step(late, answered("7."))
    finish_turn(late.turn_id, owner=OWNER, sent=[])
    claim = retry_turn(late.turn_id, user_id=user.pk, owner=OWNER, models=models(), answered=True)
    assert claim.step is not None
    assert claim.step.request.messages[-1].role == "user"


@pytest.mark.django_db(transaction=True)
def test_tools_that_ended_before_a_stop_was_heard_are_kept_and_charged(step: Step):  # noqa: F811
    async def run(context: ToolContext) -> ToolOutput:
        return ToolOutput("ok", cost=Decimal("0.01"))

    tool = Tool("x", "d", {}, run, "label", "i", Decimal(0), 5, True)
    calls = (ToolCall("a", "x", {}), ToolCall("b", "x", {}))
    with transaction.atomic():
        append(step.turn_id, step.thread_id, step.chat_id, "assistant", calls, step=9, reason="tools")

    async def stopped_at_the_first() -> None:
        async with aclosing(loop._run_tools(step, calls, {"x": tool}, "en")) as events:
            async for event in events:
                if isinstance(event, loop.ToolEnded):
                    return

    asyncio.run(stopped_at_the_first())
    assert BalanceOperation.objects.filter(kind="tool").count() == 2


@pytest.mark.django_db(transaction=True)
def test_the_history_of_tools_is_flushed_beside_a_turn_that_ends(step: Step):  # noqa: F811
    """Both take the person's row first: in any other order they would wait for each other."""
    user, thread = User.objects.get(), Thread.objects.get()
    call, result = ToolCall("c", "x", {}), ToolResult("c", "x", "y")
    payload = tool_call_event(
        user_id=user.pk, thread_id=thread.pk, turn_id=step.turn_id, call=call, result=result,
        status="done", seconds=1.0, cost=Decimal(0),
    )  # fmt: skip
    raised: list[OperationalError] = []
    flushing = threading.Event()

    def guarded(work) -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                work(cursor)
        except OperationalError as error:
            raised.append(error)
        connection.close()

    def flush(cursor) -> None:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        flushing.set()
        write_tool_calls([Event("tool_call", payload)])

    def end(cursor) -> None:
        lock_user(user.pk)
        other = threading.Thread(target=guarded, args=(flush,))
        others.append(other)
        other.start()
        flushing.wait(10)
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        for _ in range(100):
            cursor.execute(waits)
            if cursor.fetchone()[0]:
                break
        Turn.objects.select_for_update(of=("self", "thread")).select_related("thread").get(pk=step.turn_id)

    others: list[threading.Thread] = []
    first = threading.Thread(target=guarded, args=(end,))
    first.start()
    first.join(20)
    others[0].join(20)
    assert not others[0].is_alive()
    assert raised == []
