"""What a worker brought about is used by whoever takes the turn up, whatever has become of the person since."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import redis as redis_client
from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone

from accounts.models import User
from billing import ledger
from billing.models import BalanceOperation, Price
from billing.price_sync import sync_prices
from conversations import write_behind
from conversations.closing import record_result
from conversations.contracts import NewFile, ToolContext, ToolOutput
from conversations.files import ThreadFiles
from conversations.history import NO_RESULT
from conversations.leases import LEASE
from conversations.loop import Failed, FileReady, TurnEvent, run_turn
from conversations.models import Message, Turn
from conversations.parts import Delivery, File, ToolCall, ToolResult
from conversations.providers import models
from conversations.steps import Step
from conversations.threads import append
from conversations.turns import AGE_MAX, resume_turn
from tests.conversations.test_compaction import said
from tests.people import ANNA
from tools import working
from tools.catalog import tools
from tools.long_runs import State, in_worker, open_run, outcome_of
from tools.models import LongRun
from tools.models import ToolCall as ToolCallRow

pytestmark = pytest.mark.django_db(transaction=True)

CALL = ToolCall("toolu_1", "execute_python", {"code": "print(1)"})
COST = Decimal("0.04")
OUTPUT = ToolOutput(
    "half an emoji \ud83d and a NUL \0",
    (NewFile("sum.csv", "text/csv", b"1,2"),),
    (Delivery(File("f_2222", "old.png", "image/png", 3), "as you\0 wished", "document"),),
    COST,
    {"milliseconds": 40},
)


@pytest.fixture
def step(settings: Any, tmp_path) -> Step:
    """A turn whose model has called for Python when its process died."""
    settings.ANTHROPIC_API_KEY, settings.DEFAULT_MODEL = "sk-ant-tests", "claude-haiku-5-5"
    settings.MEDIA_ROOT, settings.OVERDRAFT_LIMIT_USD = tmp_path, Decimal(0)
    sync_prices()
    Price.objects.create(
        item="sandbox-second:local", per_unit=COST, source="test", effective_from=timezone.now()
    )
    user = User.objects.create(telegram_id=ANNA)
    ledger.credit(user.pk, key="test:paid", amount=Decimal(10), kind="top_up")
    step = said(user, 1, "Compute")
    with transaction.atomic():
        append(step.turn_id, step.thread_id, step.chat_id, "assistant", (CALL,), step=0, reason="tools")
    return step


def asked(step: Step) -> int:
    context = ToolContext(
        step.user_id, step.thread_id, "en", ThreadFiles(step.thread_id), (step.turn_id, CALL.id)
    )
    return open_run(tools()[CALL.name], context, CALL.arguments)


def worked(step: Step, output: ToolOutput = OUTPUT) -> int:
    """What a worker does of it."""
    run_id = asked(step)
    assert working.claim(run_id, "a worker")
    working.conclude(LongRun.objects.get(pk=run_id), "a worker", State.DONE, output, seconds=1)
    return run_id


def let_the_lease_run_out(step: Step, ago: timedelta = LEASE) -> None:
    Turn.objects.filter(pk=step.turn_id).update(lease_until=F("lease_until") - LEASE - ago)


def spend_everything(step: Step) -> None:
    """Elsewhere, while the hold was swept: nothing is left."""
    ledger.release(step.hold_key)
    ledger.hold(step.user_id, key=step.hold_key, estimate=Decimal("0.01"), expires_in=timedelta(seconds=-1))
    ledger.expire_holds()
    ledger.debit(step.user_id, key="test:spent", amount=User.objects.get().balance, kind="refund", force=True)


def taken_up(step: Step) -> list[TurnEvent]:
    """What the next process does with the turn, to its end."""
    claim = resume_turn(step.turn_id, owner="the next process", models=models())
    assert claim is not None

    async def follow() -> list[TurnEvent]:
        async with aclosing(run_turn(claim.step, in_worker(tools()), "en")) as events:
            return [event async for event in events]

    return asyncio.run(follow())


def results() -> list[ToolResult]:
    rows: Sequence[Message] = Message.objects.order_by("seq")
    return [part for row in rows for part in row.parts if isinstance(part, ToolResult)]


def charged() -> list[Decimal]:
    return list(BalanceOperation.objects.filter(kind="tool").values_list("amount", flat=True))


def test_everything_a_tool_gives_comes_through_the_row(step: Step):
    assert all(getattr(OUTPUT, field.name) != field.default for field in fields(ToolOutput))
    text = "half an emoji \ufffd and a NUL \ufffd"
    assert outcome_of(worked(step)) == replace(OUTPUT, text=text)


def test_a_finished_run_is_used_and_charged_though_the_balance_is_gone(step: Step):
    worked(step)
    spend_everything(step)
    let_the_lease_run_out(step)
    events = taken_up(step)
    (result,) = results()
    assert not result.is_error
    assert [each.delivery.file.name for each in events if isinstance(each, FileReady)] == [
        "sum.csv",
        "old.png",
    ]
    assert charged() == [-COST]
    assert events[-1] == Failed("used_up")  # no dollar is left to ask the model what it makes of it
    user = User.objects.get()
    assert user.balance == -COST == user.operations.aggregate(sum=Sum("amount"))["sum"]


def test_a_run_that_nobody_began_is_not_begun_when_the_balance_is_gone(step: Step):
    spend_everything(step)
    let_the_lease_run_out(step)
    taken_up(step)
    (result,) = results()
    assert "does not cover this call" in result.text
    assert (charged(), LongRun.objects.count()) == ([], 0)


def test_a_run_that_ended_before_a_stop_is_kept_and_charged_behind_the_kill(step: Step):
    worked(step)
    Turn.objects.update(stop_requested=True)
    let_the_lease_run_out(step)
    events = taken_up(step)
    assert [result.is_error for result in results()] == [False]
    assert charged() == [-COST]
    assert not any(isinstance(event, Failed) for event in events)


def test_behind_a_stop_nothing_begins(step: Step):
    Turn.objects.update(stop_requested=True)
    let_the_lease_run_out(step)
    taken_up(step)
    (result,) = results()
    assert result.text == NO_RESULT
    assert (charged(), LongRun.objects.count()) == ([], 0)


def test_a_long_run_is_not_too_old_while_somebody_worked_at_its_turn(step: Step):
    worked(step)
    Turn.objects.update(created_at=timezone.now() - timedelta(hours=1))
    let_the_lease_run_out(step)
    spend_everything(step)
    taken_up(step)
    assert [result.is_error for result in results()] == [False]


def test_what_nobody_worked_at_for_long_is_interrupted(step: Step):
    let_the_lease_run_out(step, ago=AGE_MAX)
    claim = resume_turn(step.turn_id, owner="the next process", models=models())
    assert claim is not None
    assert (claim.step, claim.turn.failure) == (None, "interrupted")


def test_a_result_that_was_kept_and_never_told_of_is_told_by_who_takes_the_turn_up(
    step: Step, redis: redis_client.Redis
):
    result = ToolResult(CALL.id, CALL.name, "It said 1.")
    record_result(step, result, cost=COST, details={}, files=(), last=False)
    for owner in ("the next process", "the one behind it"):
        let_the_lease_run_out(step)
        assert resume_turn(step.turn_id, owner=owner, models=models())
    write_behind.flush()
    told = ToolCallRow.objects.get()
    assert (told.call_id, told.result, told.status, told.cost) == (CALL.id, "It said 1.", "done", COST)
    assert json.loads(told.arguments) == CALL.arguments
