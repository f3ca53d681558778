"""A package every month, over the real bot."""

from decimal import Decimal

from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.flows import books
from tests.flows.paying import button, buttons, kinds, new_rate, newest, payments, state_is
from tests.people import ANNA


async def subscribed(person: Person) -> str:
    await person.send("/pay")
    offers = await person.wait_for(lambda message: "Telegram Stars" in message["text"])
    await person.press(offers["message_id"], button(offers, "Every month"))
    offer = await person.wait_for(lambda message: "every month" in message["text"])
    outcome = await person.pay(buttons(offer)[0]["url"])
    assert outcome["ok"], outcome
    await person.wait_for(lambda message: "added for" in message["text"])
    return outcome["charge_id"]


async def test_a_subscription_is_paid_renewed_and_ended(starling: Roles, anna: Person, telegram: Playground):
    charge = await subscribed(anna)
    assert await books.balance_of(ANNA) == Decimal("2.625")
    await new_rate("0.10")
    anna.renew(charge)
    await anna.wait_for(lambda message: "renewed: $1.625" in message["text"])
    assert await books.balance_of(ANNA) == Decimal("4.25")
    assert [payment.flagged for payment in await payments()] == [False, False]
    after = newest(anna)
    await anna.send("/pay")
    offers = await anna.wait_for(lambda message: "You have a subscription" in message["text"], after=after)
    await anna.press(offers["message_id"], button(offers, "End the subscription"))
    await anna.wait_for(lambda message: "nothing more is taken" in message["text"])
    assert telegram.state.stars.subscriptions[charge].is_canceled


async def test_a_renewal_delivered_five_times_is_credited_once(
    starling: Roles, anna: Person, telegram: Playground
):
    charge = await subscribed(anna)
    renewal = anna.renew(charge)
    message = next(
        one
        for one in anna.messages
        if one.get("successful_payment", {}).get("telegram_payment_charge_id") == renewal.id
    )
    for _ in range(5):
        telegram.state.updates.push("message", message)
    await state_is(renewal.id, "paid")
    await anna.send("/terms")
    await anna.wait_for(lambda message: "What you pay for" in message["text"])
    assert (await kinds(ANNA))["top_up"] == 2


async def test_what_a_person_does_to_it_in_telegram_is_heard(starling: Roles, anna: Person):
    charge = await subscribed(anna)
    heard = [("canceled", "nothing more is taken"), ("active", "goes on"), ("failed", "could not be renewed")]
    for state, words in heard:
        anna.change_subscription(charge, state)
        await anna.wait_for(lambda message, words=words: words in message["text"])
        assert (await payments())[0].subscription == state
