"""The account over the real bot: what there is, gifts, codes."""

import asyncio
import struct
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.utils import timezone

from accounts.models import Staff, User
from billing import ledger
from billing.models import BalanceOperation, Voucher
from config.aio import in_db
from telegram_bot.dispatcher import Roles
from telegram_bot.keyboards import GiftPress
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from telegram_bot.presses import seal_for
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Words
from tests.flows import books
from tests.people import ANNA, BORIS

Json = dict[str, Any]


async def greeted(*people: Person) -> None:
    for person in people:
        await person.send("/start")
        await person.wait_for(lambda message: "Starling" in message["text"])


def first_button(message: Json) -> str:
    return message["reply_markup"]["inline_keyboard"][0][0]["callback_data"]


@in_db
def top_up(telegram_id: int, usd: str) -> None:
    user = User.objects.get(telegram_id=telegram_id)
    ledger.credit(user.pk, key=f"pay:{uuid4()}", amount=Decimal(usd), kind="top_up")


@in_db
def kinds(telegram_id: int) -> Counter[str]:
    return Counter(
        BalanceOperation.objects.filter(user__telegram_id=telegram_id).values_list("kind", flat=True)
    )


@in_db
def named(telegram_id: int, username: str) -> None:
    User.objects.filter(telegram_id=telegram_id).update(username=username)


@in_db
def voucher(code: str, usd: str = "2", **fields: Any) -> Voucher:
    staff = Staff.objects.create(username=f"felix-{uuid4()}")
    return Voucher.objects.create(code=code, usd=Decimal(usd), reason="a test", made_by=staff, **fields)


async def test_the_balance_is_told_in_words_with_a_way_to_pay(starling: Roles, anna: Person, boris: Person):
    await greeted(anna, boris)
    await top_up(ANNA, "0.65")
    await anna.send("/balance")
    told = await anna.wait_for(lambda message: "Your balance is $1.65" in message["text"])
    paid, given = told["text"].splitlines()[-2:]  # one below the other
    assert paid.endswith("+$0.65, paid with Stars")
    assert given.endswith("+$1.00, a present from us")
    await anna.press(told["message_id"], first_button(told))
    await anna.wait_for(lambda message: "Telegram Stars" in message["text"])
    await boris.send("/balance")
    await boris.wait_for(lambda message: "+$1.00, наш подарок" in message["text"])


async def test_what_was_used_is_drawn_and_said_in_words(
    starling: Roles, claude: AnthropicStandIn, anna: Person, telegram: Playground
):
    claude.say(Words("Yes."))
    await anna.send("Really?")
    await books.all_done()
    await anna.send("/balance")
    told = await anna.wait_for(lambda message: message["photo"])
    assert "one step of an answer" in told["caption"]
    assert "In the last 30 days answers cost $0.00" in told["caption"]
    assert len(told["caption"]) <= 1024
    content = telegram.state.files.get(told["photo"][-1]["file_id"]).body
    assert content.startswith(b"\x89PNG")
    assert struct.unpack(">II", content[16:24]) == (1680, 840)


async def test_a_gift_moves_paid_dollars_once_and_both_are_told(starling: Roles, anna: Person, boris: Person):
    await greeted(anna, boris)
    await named(BORIS, "boris")
    await top_up(ANNA, "5")
    await anna.send("/gift @BORIS 2,50")
    sure = await anna.wait_for(lambda message: "cannot be taken back" in message["text"])
    await asyncio.gather(*(anna.press(sure["message_id"], first_button(sure)) for _ in range(5)))
    await anna.wait_for(lambda message: "from you" in message["text"])
    await boris.wait_for(lambda message: "Вам подарок" in message["text"])
    assert (await books.balance_of(ANNA), await books.balance_of(BORIS)) == (Decimal("3.50"), Decimal("3.50"))
    assert (await kinds(ANNA))["gift_out"] == (await kinds(BORIS))["gift_in"] == 1
    assert await books.mismatches() == []


async def test_the_first_credit_cannot_be_given_away(starling: Roles, anna: Person, boris: Person):
    await greeted(anna, boris)
    await named(BORIS, "boris")
    await anna.send("/gift @boris 0.50")
    sure = await anna.wait_for(lambda message: "cannot be taken back" in message["text"])
    await anna.press(sure["message_id"], first_button(sure))
    await anna.wait_for(lambda message: "paid for and not spent" in message["text"])
    assert (await kinds(BORIS))["gift_in"] == 0


async def test_a_forged_gift_moves_nothing(starling: Roles, anna: Person, boris: Person):
    await greeted(anna, boris)
    await top_up(ANNA, "5")
    other = (await in_db(User.objects.get)(telegram_id=BORIS)).pk
    mine = (await in_db(User.objects.get)(telegram_id=ANNA)).pk
    forged = [f"gift:{other}:1000000000", f"gift:{other}:{10**30}"]
    greeting, seal = anna.replies[0]["message_id"], seal_for(ANNA)
    for data in forged:
        await anna.press(greeting, data)
    impossible = [
        (other, -5 * 10**9),
        (other, 0),
        (other, 1),
        (mine, 10**9),
        (999999, 10**9),
        (other, 6 * 10**9),
    ]
    for taker, nano in impossible:  # sealed by us, and still no gift
        await anna.press(greeting, seal(GiftPress(taker=taker, nano=nano)))
    await anna.send("/gift @nobody 1")
    await anna.wait_for(lambda message: "do not know this person" in message["text"])
    await anna.send("/gift @anna NaN")
    await anna.wait_for(lambda message: "Write whom" in message["text"])
    assert await books.balance_of(ANNA) == 6
    assert await books.balance_of(BORIS) == 1


async def test_a_code_is_redeemed_once_in_any_spelling(starling: Roles, anna: Person):
    await voucher("SPRING", uses=2)
    await anna.send("/redeem  spring ")
    await anna.wait_for(lambda message: "$2.00 added" in message["text"])
    await anna.send("/redeem SPRING")
    await anna.wait_for(lambda message: "already" in message["text"])
    assert await books.balance_of(ANNA) == 3


async def test_whoever_tries_codes_waits_even_with_the_right_one(starling: Roles, anna: Person):
    await voucher("RIGHT")
    await voucher("OLD", expires_at=timezone.now() - timedelta(days=1))
    await anna.send("/redeem OLD")
    await anna.wait_for(lambda message: "no longer good" in message["text"])
    for number in range(5):
        await anna.send(f"/redeem WRONG{number}")
    await anna.send("/redeem RIGHT")
    await anna.wait_for(lambda message: "Wait an hour" in message["text"])
    assert await books.balance_of(ANNA) == 1
