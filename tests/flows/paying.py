"""What people do to pay and to be paid back, and what became of it: shared by the flows of Stars."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

from accounts.models import User
from billing import stars
from billing.models import BalanceOperation, Payment, StarRate
from config.aio import in_db
from telegram_bot.playground.people import Person
from tests.waiting import eventually

Json = dict[str, Any]


def buttons(message: Json) -> list[Json]:
    return [button for row in message["reply_markup"]["inline_keyboard"] for button in row]


def button(message: Json, words: str) -> str:
    return next(one["callback_data"] for one in buttons(message) if words in one["text"])


def newest(person: Person) -> int:
    return person.messages[-1]["message_id"] if person.messages else 0


async def invoice_for(person: Person, amount: int = 100) -> int:
    """The message with the invoice for an amount the person typed."""
    after = newest(person)
    await person.send(f"/pay {amount}")
    return (await person.wait_for(lambda message: message["invoice"], after=after))["message_id"]


async def paid(person: Person, amount: int = 100) -> str:
    """Pay, wait for the receipt; the charge's id."""
    after = newest(person)
    outcome = await person.pay(await invoice_for(person, amount))
    assert outcome["ok"], outcome
    await person.wait_for(lambda message: "added for" in message["text"], after=after)
    return outcome["charge_id"]


@in_db
def payments() -> list[Payment]:
    return list(Payment.objects.order_by("pk"))


@in_db
def kinds(telegram_id: int) -> Counter[str]:
    return Counter(
        BalanceOperation.objects.filter(user__telegram_id=telegram_id).values_list("kind", flat=True)
    )


async def state_is(charge_id: str, state: str) -> Payment:
    @in_db
    def look() -> Payment | None:
        return Payment.objects.filter(charge_id=charge_id, state=state).first()

    return await eventually(look, f"{charge_id} {state}")


async def asked_back(person: Person) -> int:
    """Go to the last question of /refund; the message with the button that does it."""
    after = newest(person)
    await person.send("/refund")
    listed = await person.wait_for(lambda message: message["reply_markup"], after=after)
    await person.press(listed["message_id"], buttons(listed)[0]["callback_data"])
    sure = await person.wait_for(lambda message: "Shall" in message["text"], after=listed["message_id"])
    return sure["message_id"]


async def press_first(person: Person, message_id: int) -> None:
    message = next(one for one in person.messages if one["message_id"] == message_id)
    await person.press(message_id, buttons(message)[0]["callback_data"])


async def told(person: Person, words: str, times: int = 1) -> bool:
    return sum(words in reply.get("text", "") for reply in person.replies) >= times


@in_db
def new_rate(k3: str) -> None:
    old = stars.rate_now()
    StarRate.objects.create(
        effective_from=old.effective_from + timedelta(microseconds=1),
        usd_per_star=old.usd_per_star,
        k1=old.k1,
        k2=old.k2,
        k3=Decimal(k3),
    )


@in_db
def block(telegram_id: int) -> None:
    User.objects.filter(telegram_id=telegram_id).update(blocked_at="2026-01-01T00:00:00Z")


def user_pk(telegram_id: int) -> int:
    return User.objects.values_list("pk", flat=True).get(telegram_id=telegram_id)
