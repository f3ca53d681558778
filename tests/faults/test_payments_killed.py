"""kill -9 around a payment and around a refund: paid once, told, and never both Stars and dollars."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from django.db.models import F

from billing.models import BalanceOperation, Payment
from billing.refunds import CALL_AGAIN_AFTER
from config.aio import in_db
from telegram_bot.keyboards import RefundPress
from telegram_bot.playground.people import Person
from telegram_bot.presses import seal_for
from tests.faults import books
from tests.faults.conftest import Stage
from tests.faults.telegram import AFTER, BEFORE
from tests.faults.wire import Moment
from tests.waiting import eventually

pytestmark = pytest.mark.processes

REACH_SECONDS = 40.0
RECEIPT, REFUND = "sendMessage", "refundStarPayment"


@dataclass(frozen=True)
class Point:
    """Where the bot is killed: at a commit of the payment's, or at a call of Telegram's."""

    name: str
    commit: tuple[str, Moment] | None = None
    call: tuple[str, str] | None = None
    refunds: bool = False
    told_most: int = field(default=1)


POINTS = (
    Point("payment not committed", commit=("paid", Moment.BEFORE)),
    Point("payment committed, unheard", commit=("paid", Moment.AFTER)),
    Point("receipt on its way", call=(RECEIPT, BEFORE)),
    Point("receipt sent, unheard", call=(RECEIPT, AFTER), told_most=2),
    Point("refund debited, unheard", commit=("debited", Moment.AFTER), refunds=True),
    Point("refund not carried out", call=(REFUND, BEFORE), refunds=True),
    Point("refund carried out, unheard", call=(REFUND, AFTER), refunds=True),
)


@in_db
def payment_of(person: int) -> Payment | None:
    return Payment.objects.filter(user__telegram_id=person, charge_id__isnull=False).first()


@in_db
def kinds_of(person: int) -> dict[str, int]:
    rows = BalanceOperation.objects.filter(user__telegram_id=person).values_list("kind", flat=True)
    return {kind: list(rows).count(kind) for kind in set(rows)}


@in_db
def let_calls_be_old() -> None:
    Payment.objects.update(refund_called_at=F("refund_called_at") - CALL_AGAIN_AFTER)


async def bring(stage: Stage, point: Point, number: int) -> None:
    """Bring a person to their point, where everything of theirs stands still."""
    person = stage.person(number)
    await person.send("/pay 100")
    bill = (await person.wait_for(lambda message: message["invoice"], REACH_SECONDS))["message_id"]
    if not point.refunds:
        hold(stage, point, number)
    assert (await person.pay(bill))["ok"]
    if point.refunds:
        await person.wait_for(lambda message: "added for" in message["text"], REACH_SECONDS)
        hold(stage, point, number)
        payment = await payment_of(number)
        assert payment
        await person.press(bill, seal_for(number)(RefundPress(payment=payment.pk, sure=True)))
    async with asyncio.timeout(REACH_SECONDS):
        if point.commit:
            await stage.wire.reached(point.commit[0], number)
        if point.call:
            await stage.telegram.reached(point.call[0], whom(point, number))


def hold(stage: Stage, point: Point, number: int) -> None:
    if point.commit:
        stage.wire.stop(point.commit[0], number, point.commit[1])
    if point.call:
        stage.telegram.hold(point.call[0], whom(point, number), point.call[1])  # type: ignore[arg-type]


def whom(point: Point, number: int) -> int | None:
    """A refund names no chat."""
    return None if point.refunds else number


async def test_a_kill_at_every_point_of_a_payment_and_a_refund_loses_and_doubles_nothing(
    stage: Stage,
) -> None:
    bot = await stage.bots.start().started()
    people = {point: 7000 + place for place, point in enumerate(POINTS)}
    for point, number in people.items():
        if point.call != (REFUND, AFTER):
            await bring(stage, point, number)
    stage.telegram._reached.clear()  # the same call, of another person
    last = POINTS[-1]
    await bring(stage, last, people[last])
    bot.kill()
    stage.telegram.drop()
    await stage.wire.cut()
    await let_calls_be_old()
    await stage.bots.start().started()
    for point, number in people.items():
        await eventually(ended(stage.person(number), point, number), point.name, REACH_SECONDS)
    for point, number in people.items():
        person = stage.person(number)
        payment = await payment_of(number)
        assert payment
        expected = {"grant": 1, "top_up": 1} | ({"refund": 1} if point.refunds else {})
        assert await kinds_of(number) == expected, point.name
        assert person.stars == (5000 if point.refunds else 4900), point.name
        told = sum("added for" in reply.get("text", "") for reply in person.replies)
        assert 1 <= told <= point.told_most, point.name
        back = sum("went back" in reply.get("text", "") for reply in person.replies)
        assert back == int(point.refunds), point.name
    assert await books.mismatches() == []
    assert stage.bots.crashes == []
    print(f"\n{len(POINTS)} points killed: 0 payments lost, 0 credited twice, 0 without a receipt")


def ended(person: Person, point: Point, number: int) -> Callable[[], Awaitable[bool]]:
    words = "went back" if point.refunds else "added for"

    async def look() -> bool:
        payment = await payment_of(number)
        if payment is None or payment.state != ("refunded" if point.refunds else "paid"):
            return False
        told = any(words in reply.get("text", "") for reply in person.replies)
        return told and payment.receipt_sent_at is not None and payment.usd == Decimal("0.65")

    return look
