"""The commit that begins an epoch: once, whoever calls it and how often."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Now

from accounts.models import User
from accounts.services import lock_user
from billing import ledger
from billing.models import BalanceOperation
from billing.price_sync import sync_prices
from billing.pricing import Usage
from conversations.closing import close_step
from conversations.compaction import close_summary
from conversations.contracts import Done, ProviderError, Reason
from conversations.errors import LeaseLost
from conversations.models import Message, Thread, Turn
from conversations.parts import Summary, Text
from conversations.providers import models
from conversations.reply import Reply
from conversations.steps import Step
from conversations.threads import current_thread, receive, rows_of, said_in, sync_chat
from conversations.turns import claim_turn, finish_turn, resume_turn
from tests.people import ANNA

OWNER = "this process"
WHOLE = Reply([Text("They count.")], Usage(input=200_000, output=500), Done(Reason.END))


@pytest.fixture
def step(db: None, settings: Any) -> Step:
    """The call that sums up a thread of 200,000 tokens, opened."""
    settings.ANTHROPIC_API_KEY, settings.DEFAULT_MODEL = "sk-ant-tests", "claude-sonnet-5-5"
    sync_prices()
    user = User.objects.create(telegram_id=ANNA, instructions="Be brief.")
    ledger.credit(user.pk, key="test:paid", amount=Decimal(10), kind="top_up")
    first = said(user, 1, "One")
    long = Reply([Text("1")], Usage(cache_write_5m=200_000, output=500), Done(Reason.END))
    close_step(first, long)
    finish_turn(first.turn_id, owner=OWNER, sent=[])
    return said(user, 2, "Two")


def said(user: User, number: int, words: str) -> Step:
    with transaction.atomic():
        lock_user(user.pk)
        chat = sync_chat(telegram_id=ANNA, kind="private", title="Anna")
        thread = current_thread(chat, topic=None, user=user, tools=[])
        receive(thread, author=user, messages=[(number, (Text(words),))])
        claim = claim_turn(thread, user=user, owner=OWNER, models=models())
    assert claim is not None
    assert claim.step is not None
    return claim.step


def epoch() -> list[list[object]]:
    return [list(row.parts) for row in rows_of(said_in(Thread.objects.get()))]


def charges() -> list[str]:
    keys = BalanceOperation.objects.filter(kind="usage").order_by("pk")
    return [key.partition(":")[2].partition(":")[2] for key in keys.values_list("key", flat=True)]


def assert_the_books_agree() -> None:
    user = User.objects.get()
    assert user.balance == user.operations.aggregate(sum=Sum("amount"))["sum"]
    for turn in Turn.objects.all():
        spent = BalanceOperation.objects.filter(key__startswith=f"turn:{turn.pk}:")
        assert turn.cost == -(spent.aggregate(sum=Sum("amount"))["sum"] or 0)


def test_the_cheapest_model_of_the_vendor_sums_up_and_the_persons_own_answers(step: Step) -> None:
    assert (step.model.id, step.key) == ("claude-haiku-5-5", f"turn:{step.turn_id}:compact:0")
    closed = close_summary(step, WHOLE, None, tools=[])
    assert closed.next is not None
    assert closed.next.model.id == "claude-sonnet-5-5"
    assert closed.summed_up == Decimal("0.101250000")  # 200,000 at $0.50 and 500 at $2.50 a million
    assert charges() == ["step:0", "compact:0"]
    assert_the_books_agree()


def test_what_has_become_too_dear_for_one_turn_is_summed_up_though_it_is_not_long(
    db: None, settings: Any
) -> None:
    """Overnight a prompt leaves the vendor's cache: 120,000 tokens are $0.60 for Opus, above the turn's cap."""
    settings.ANTHROPIC_API_KEY, settings.DEFAULT_MODEL = "sk-ant-tests", "claude-opus-5-5"
    sync_prices()
    user = User.objects.create(telegram_id=ANNA)
    ledger.credit(user.pk, key="test:paid", amount=Decimal(10), kind="top_up")
    first = said(user, 1, "One")
    close_step(first, Reply([Text("1")], Usage(cache_write_5m=120_000, output=500), Done(Reason.END)))
    finish_turn(first.turn_id, owner=OWNER, sent=[])
    warm = said(user, 2, "Two")
    assert warm.sums_up_for is None
    finish_turn(warm.turn_id, owner=OWNER, sent=[])
    Message.objects.filter(role="assistant").update(created_at="2026-01-01T00:00Z")
    cold = said(user, 3, "Three")
    assert cold.sums_up_for is not None
    assert (cold.sums_up_for.id, cold.number) == ("claude-opus-5-5", 0)
    closed = close_summary(cold, WHOLE, None, tools=[])
    assert closed.next is not None
    assert closed.next.model.id == "claude-opus-5-5"
    assert_the_books_agree()


def test_a_commit_whose_answer_got_lost_begins_no_second_epoch(step: Step) -> None:
    close_summary(step, WHOLE, None, tools=[])
    with pytest.raises(LeaseLost):
        close_summary(step, WHOLE, None, tools=[])
    ((opening, question),) = epoch()
    assert isinstance(opening, Summary)
    assert "They count." in opening.text
    assert question == Text("Two")
    assert charges() == ["step:0", "compact:0"]
    assert_the_books_agree()


def test_who_has_lost_the_turn_begins_nothing_and_charges_nothing(step: Step) -> None:
    Turn.objects.filter(pk=step.turn_id).update(lease_owner="another")
    with pytest.raises(LeaseLost):
        close_summary(step, WHOLE, None, tools=[])
    assert charges() == ["step:0"]
    assert epoch() == [[Text("One")], [Text("1")], [Text("Two")]]


def test_the_messages_of_an_earlier_epoch_stay_and_are_said_no_more(step: Step) -> None:
    before = list(Message.objects.order_by("pk").values_list("pk", "seq", "parts"))
    close_summary(step, WHOLE, None, tools=[])
    assert list(Message.objects.order_by("pk").values_list("pk", "seq", "parts"))[: len(before)] == before
    assert len(epoch()) == 1


@pytest.mark.parametrize("error", [ProviderError("overloaded"), None], ids=["failed", "stopped"])
def test_without_a_summary_the_old_epoch_goes_on(step: Step, error: ProviderError | None) -> None:
    closed = close_summary(step, Reply(), error, tools=[])
    assert epoch() == [[Text("One")], [Text("1")], [Text("Two")]]
    assert (closed.summed_up, closed.failure) == (None, "")
    if error:
        assert closed.next is not None
        assert closed.next.sums_up_for is None
    else:
        assert closed.next is None
    assert charges() == ["step:0"]


def test_after_a_kill_in_the_middle_it_is_asked_for_again_under_a_new_number(step: Step) -> None:
    Turn.objects.filter(pk=step.turn_id).update(lease_until=Now())
    claim = resume_turn(step.turn_id, owner="the next process", models=models())
    assert claim is not None
    assert claim.step is not None
    assert claim.step.key == f"turn:{step.turn_id}:compact:1"
    close_summary(claim.step, WHOLE, None, tools=[])
    assert charges() == ["step:0", "compact:1"]
    assert_the_books_agree()


def test_what_arrives_while_it_is_summed_up_stands_behind_the_question(step: Step) -> None:
    user = User.objects.get()
    with transaction.atomic():
        lock_user(user.pk)
        messages = [(number, (Text(f"And {number}"),)) for number in (3, 4, 5)]
        receive(Thread.objects.get(), author=user, messages=messages)
    closed = close_summary(step, WHOLE, None, tools=[])
    assert closed.next is not None
    (message,) = closed.next.request.messages
    assert message.parts[1] == Text("Two\nAnd 3\nAnd 4\nAnd 5")
