"""What stands below an answer: what it cost, that money runs out, and the way to ask again."""

from decimal import Decimal
from typing import Any

from django.db.models.functions import Now

from accounts.models import User
from accounts.money import cost_dollars, dollars
from billing import ledger
from conversations.models import Turn
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Hold, Use, Words
from tests.flows import books
from tests.flows.buttons import changed, data_of, press, words_on
from tests.flows.conftest import running
from tests.people import ANNA


@books.asynchronous
def prefer_receipts(telegram_id: int) -> None:
    User.objects.update_or_create(telegram_id=telegram_id, defaults={"receipts": True, "first_name": "Anna"})


@books.asynchronous
def leave(telegram_id: int, amount: str) -> None:
    """Take a balance down to `amount` dollars, by an operation like any other."""
    user, _ = User.objects.get_or_create(telegram_id=telegram_id)
    ledger.grant_starting_credit(user.pk)
    user.refresh_from_db()
    ledger.debit(
        user.pk, key=f"test:{amount}", amount=user.balance - Decimal(amount), kind="gift_out", details={}
    )


def receipts(person: Person) -> list[dict[str, Any]]:
    return [message for message in person.replies if " · balance " in message.get("text", "")]


async def test_a_receipt_names_the_cost_and_the_balance_below_the_answer(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await prefer_receipts(ANNA)
    claude.say(Words("Because of scattering."))
    await anna.send("Why is the sky blue?")
    receipt = await anna.wait_for(lambda message: "balance" in message["text"])
    (turn,) = await books.all_done()
    assert receipt["text"] == f"{cost_dollars(turn.cost)} · balance {dollars(await books.balance_of(ANNA))}"
    assert words_on(receipt) == ["Details"]
    assert anna.replies[0]["text"] == "Because of scattering."


async def test_a_balance_of_which_a_little_was_spent_reads_less_than_it_was(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words("One."))
    await anna.send("Hello")
    (turn,) = await books.all_done()
    assert 0 < turn.cost < Decimal("0.005"), "less than half a cent: what rounding used to hide"
    await anna.send("/balance")
    told = await anna.wait_for(lambda message: message["photo"])
    assert f"Your balance is {dollars(1 - turn.cost)}." in told["caption"]
    assert "balance is $1.00" not in told["caption"]


async def test_details_say_what_made_up_the_cost(starling: Roles, claude: AnthropicStandIn, anna: Person):
    await prefer_receipts(ANNA)
    claude.say(Use("render_latex", {"latex": "x"}))
    claude.say(Words("There it is."))
    await anna.send("Show me x")
    receipt = await anna.wait_for(lambda message: "balance" in message["text"])
    (turn,) = await books.all_done()
    await press(anna, receipt, "Details")
    now = await changed(anna, receipt)
    bills = [request.bill for request in claude.requests]
    fresh = sum(bill.input_tokens + bill.cache_5m for bill in bills)
    cached = sum(bill.cache_read_input_tokens for bill in bills)
    out = sum(bill.output_tokens for bill in bills)
    assert f"{fresh:,} in, {cached:,} cached, {out:,} out: {cost_dollars(turn.cost)}" in now["text"]
    assert "Setting a formula: free" in now["text"]
    assert now["text"].startswith(receipt["text"])
    assert words_on(now) == []


async def test_nobody_gets_a_receipt_unasked(starling: Roles, claude: AnthropicStandIn, anna: Person):
    claude.say(Words("One."))
    await anna.send("First")
    await books.all_done()
    assert [message["text"] for message in anna.replies] == ["One."]


async def test_a_stopped_answer_has_its_receipt_too(starling: Roles, claude: AnthropicStandIn, anna: Person):
    await prefer_receipts(ANNA)
    claude.say(Words("As far as this"), Hold())
    await anna.send("Tell me a long story")
    await anna.wait_until(lambda: anna.draft if anna.draft and anna.draft["text"] else None)
    await anna.stop()
    receipt = await anna.wait_for(lambda message: "balance" in message["text"])
    (turn,) = await books.all_done()
    assert receipt["text"].startswith(cost_dollars(turn.cost))


async def test_after_a_crash_the_receipt_is_of_the_whole_turn_and_comes_once(
    telegram: Playground, claude: AnthropicStandIn, anna: Person, transactional_db: None
):
    """The process dies behind the first step; another one finishes the turn."""
    await prefer_receipts(ANNA)
    claude.say(Words("First half."), Use("render_latex", {"latex": "x"}))
    hold = Hold()
    claude.say(hold, Words("never"))
    async with running() as roles:
        await anna.send("Show me x")
        await hold.reached.wait()
        for task in list(roles.answers._tasks.values()):  # as kill -9 would: nothing is written down
            task.cancel()
        roles.answers._streams.clear()
    await expire_leases()
    claude.say(Words("Second half."))
    async with running():
        receipt = await anna.wait_for(lambda message: "balance" in message["text"], 30)
        await books.all_done()
    charges = await books.charges_of(ANNA)
    assert len(charges) >= 2
    assert receipt["text"].startswith(f"{cost_dollars(sum(charges, Decimal(0)))} · balance")
    assert len(receipts(anna)) == 1


@books.asynchronous
def expire_leases() -> None:
    Turn.objects.filter(state=Turn.State.RUNNING).update(lease_until=Now())


async def test_a_balance_that_falls_low_is_said_once(starling: Roles, claude: AnthropicStandIn, anna: Person):
    await leave(ANNA, "0.100001")
    claude.say(Words("One."))
    await anna.send("First")
    warning = await anna.wait_for(lambda message: "balance is low" in message["text"])
    assert "/pay" in warning["text"]
    claude.say(Words("Two."))
    await anna.send("Second")
    await anna.wait_for(lambda message: message["text"] == "Two.")
    await books.all_done(2)
    assert len([one for one in anna.replies if "is low" in one["text"]]) == 1


async def test_a_used_up_balance_names_the_way_to_top_up(starling: Roles, anna: Person):
    await leave(ANNA, "0.000000001")
    await leave(ANNA, "0")
    await anna.send("Hello?")
    refused = await anna.wait_for(lambda message: "used up" in message["text"])
    assert "/pay" in refused["text"]
    assert words_on(refused) == ["Try again", "⭐ Top up"]


# /retry ------------------------------------------------------------------------------------------


async def test_retry_asks_a_question_again_that_broke_off(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.fail(400)
    await anna.send("Why?")
    await anna.wait_for(lambda message: words_on(message) == ["Try again"])
    await books.all_done()
    claude.say(Words("Therefore."))
    await anna.send("/retry")
    await anna.wait_for(lambda message: message["text"] == "Therefore.")


async def test_retry_after_an_answer_gives_another_one_in_its_place(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words("One."), Use("render_latex", {"latex": "x"}))
    claude.say(Words("And one."))
    await anna.send("Say a number")
    await anna.wait_for(lambda message: message.get("text") == "And one.")
    await books.all_done()
    claude.say(Words("Two."))
    await anna.send("/retry")
    await anna.wait_for(lambda message: message.get("text") == "Two.")
    await books.all_done(2)
    (asked,) = claude.requests[-1].body["messages"]
    assert asked["content"][0]["text"] == "Say a number"
    assert [row.superseded for row in await books.messages("assistant")] == [True, True, False]
    assert await books.mismatches() == []


async def test_retry_with_nothing_to_ask_again_says_so(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await anna.send("/retry")
    first = await anna.wait_for(lambda message: "no question of yours" in message["text"])
    hold = Hold()
    claude.say(Words("Half"), hold)
    await anna.send("Go")
    await hold.reached.wait()
    await anna.send("/retry")
    await anna.wait_for(lambda message: "no question of yours" in message["text"], after=first["message_id"])
    hold.until.set()


async def test_somebody_elses_receipt_stays_closed(
    starling: Roles, claude: AnthropicStandIn, anna: Person, boris: Person
):
    await prefer_receipts(ANNA)
    claude.say(Words("One."))
    await anna.send("First")
    receipt = await anna.wait_for(lambda message: "balance" in message["text"])
    await boris.send("/help")
    his = await boris.wait_for(lambda message: True)
    await boris.press(his["message_id"], data_of(receipt, "Details"))
    await boris.wait_until(lambda: boris.answers[0] if boris.answers else None)
    assert "для другого человека" in boris.answers[0]["text"]
    assert len(boris.replies) == 1
