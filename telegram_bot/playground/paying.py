"""What people do with their Stars: pay, pay twice, subscribe, renew, take back."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from telegram_bot.playground.shapes import Json
from telegram_bot.playground.stars import Charge, Invoice, Subscription
from telegram_bot.playground.state import PrivateChat, State


class Impossible(Exception):
    """A thing a person cannot do in Telegram, such as stopping a draft that is not there."""


class Payer:
    """The part of a person that has a wallet."""

    _state: State
    _chat: PrivateChat
    id: int

    @property
    def stars(self) -> int:
        """Toy Stars in the person's wallet."""
        return self._state.stars.wallet(self.id)

    @property
    def charges(self) -> list[Charge]:
        """Every payment of this person, oldest first."""
        return [charge for charge in self._state.stars.charges.values() if charge.user["id"] == self.id]

    def invoice(self, of: int | str) -> Invoice:
        """The invoice of a message, or behind a link."""
        stars = self._state.stars
        found = stars.links.get(of) if isinstance(of, str) else stars.invoices.get((self.id, of))
        if found is None:
            raise Impossible("there is no such invoice")
        return found

    async def pay(self, of: int | str, **changes: object) -> Json:
        """Pay an invoice: {"ok": true, "charge_id": …}, or {"ok": false, "error": …} when the bot says no.

        `changes` forge the question the bot is asked, as no Telegram client can.
        """
        invoice = self.invoice(of)
        refusal = await self.ask_to_pay(of, **changes)
        if refusal is not None:
            return {"ok": False, "error": refusal}
        return {"ok": True, "charge_id": self.complete(invoice, of).id}

    async def pay_twice(self, of: int | str) -> list[str]:
        """Confirm the same invoice on two devices at once; the ids of both charges."""
        refusals = await asyncio.gather(self.ask_to_pay(of), self.ask_to_pay(of))
        if any(refusals):
            raise Impossible(f"the bot refused: {refusals}")
        return [self.complete(self.invoice(of), of).id for _ in range(2)]

    async def ask_to_pay(self, of: int | str, **changes: object) -> str | None:
        """Confirm the payment; why the bot refuses it, or None. Ten seconds of silence refuse it too."""
        invoice = self.invoice(of)
        if self.stars < invoice.stars:
            raise Impossible("not enough Stars")
        query_id, checkout = self._state.stars.open_checkout()
        query: Json = {
            "id": query_id,
            "from": self._chat.person.user(),
            "currency": invoice.currency,
            "total_amount": invoice.stars,
            "invoice_payload": invoice.payload,
        }
        self._state.updates.push("pre_checkout_query", query | changes)
        try:
            async with asyncio.timeout(max(0.0, checkout.expires - time.monotonic())):
                return await checkout.answered
        except TimeoutError:
            return "BOT_PRECHECKOUT_TIMEOUT"

    def complete(self, invoice: Invoice, of: int | str | None = None, *, told: bool = True) -> Charge:
        """The Stars change hands; unless `told`, the bot's update is lost on the way."""
        charge = self._state.stars.charge(self._chat.person.user(), invoice)
        payment: Json = {
            "currency": invoice.currency,
            "total_amount": invoice.stars,
            "invoice_payload": invoice.payload,
            "telegram_payment_charge_id": charge.id,
            "provider_payment_charge_id": "",
        }
        if invoice.period:
            until = int(time.time()) + invoice.period
            self._state.stars.subscriptions[charge.id] = Subscription(charge, until)
            recurring = {"is_recurring": True, "is_first_recurring": True}
            payment |= {"subscription_expiration_date": until} | recurring
        self._see_payment(payment, told)
        if isinstance(of, int):
            self._state.stars.paid.add(of)
            self._chat.publish({"type": "paid", "message_id": of})
        return charge

    def renew(self, charge_id: str) -> Charge:
        """The next month of a subscription is paid, without a question to anybody."""
        subscription = self._state.stars.subscription(self.id, charge_id)
        if subscription.is_canceled:
            raise Impossible("the subscription is canceled")
        invoice = subscription.charge.invoice
        charge = self._state.stars.charge(self._chat.person.user(), replace(invoice))
        subscription.until += invoice.period or 0
        self._see_payment(
            {
                "currency": invoice.currency,
                "total_amount": invoice.stars,
                "invoice_payload": invoice.payload,
                "telegram_payment_charge_id": charge.id,
                "provider_payment_charge_id": "",
                "subscription_expiration_date": subscription.until,
                "is_recurring": True,
            },
            told=True,
        )
        return charge

    def change_subscription(self, charge_id: str, state: str) -> None:
        """Cancel it in the app, take that back, or have its renewal fail."""
        subscription = self._state.stars.subscription(self.id, charge_id)
        subscription.is_canceled = state != "active"
        payload = subscription.charge.invoice.payload
        update: Json = {"user": self._chat.person.user(), "invoice_payload": payload, "state": state}
        self._state.updates.push("subscription", update)

    def charge_back(self, charge_id: str) -> None:
        """Have the shop where the Stars were bought take the money back. The bot is told nothing."""
        self._state.stars.charge_back(charge_id)

    def refund_elsewhere(self, charge_id: str, *, told: bool = True) -> None:
        """The owner gives a payment back by other means than this bot."""
        self.see_refund(self._state.stars.refund(self.id, charge_id), told=told)

    def fill_wallet(self, stars: int) -> None:
        self._state.stars.wallets[self.id] = self.stars + stars
        self._show_wallet()

    def see_refund(self, charge: Charge, *, told: bool = True) -> None:
        """The line in the chat that says so, which the bot gets too."""
        refunded: Json = {
            "currency": charge.invoice.currency,
            "total_amount": charge.invoice.stars,
            "invoice_payload": charge.invoice.payload,
            "telegram_payment_charge_id": charge.id,
        }
        message = self._state.post(self._chat, self._state.bot, {"refunded_payment": refunded})
        self._show_wallet()
        if told:
            self._state.updates.push("message", message)

    def _see_payment(self, payment: Json, told: bool) -> None:
        self._chat.opened = True
        message = self._state.post(self._chat, self._chat.person.user(), {"successful_payment": payment})
        self._show_wallet()
        if told:
            self._state.updates.push("message", message)

    def _show_wallet(self) -> None:
        self._chat.publish({"type": "wallet", "stars": self.stars})
