"""Telegram's side of Stars: wallets, invoices, checkouts, the bot's list of transactions, subscriptions."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import Final

from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.shapes import Json

WALLET_STARS: Final = 5000  # toy Stars everybody begins with
LINK: Final = "https://t.me/$"
CHECKOUT_SECONDS: Final = 10.0  # "respond with success or failure within 10 seconds after the pre-checkout"


@dataclass(frozen=True, slots=True)
class Invoice:
    """What is to be paid; `period` is a subscription's, in seconds."""

    title: str
    description: str
    payload: str
    currency: str
    stars: int
    period: int | None = None

    def view(self) -> Json:
        """The Bot API's Invoice."""
        return {
            "title": self.title,
            "description": self.description,
            "start_parameter": "",
            "currency": self.currency,
            "total_amount": self.stars,
        }


@dataclass(slots=True)
class Checkout:
    """A payment somebody confirmed, while the bot is asked whether it agrees."""

    answered: asyncio.Future[str | None]  # why not; None: go on
    expires: float


@dataclass(slots=True)
class Charge:
    """A payment that was made."""

    id: str
    user: Json
    invoice: Invoice
    is_refunded: bool = False


@dataclass(slots=True)
class Subscription:
    """A subscription; it is told apart by its first charge."""

    charge: Charge
    until: int
    is_canceled: bool = False


@dataclass(slots=True)
class Stars:
    """Everything about Stars the stand-in remembers."""

    wallets: dict[int, int] = field(default_factory=dict)
    invoices: dict[tuple[int, int], Invoice] = field(default_factory=dict)  # chat and message
    paid: set[int] = field(default_factory=set)  # messages whose invoice was paid
    links: dict[str, Invoice] = field(default_factory=dict)
    checkouts: dict[str, Checkout] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    transactions: list[Json] = field(default_factory=list)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    bot_stars: int = 0

    def wallet(self, person: int) -> int:
        return self.wallets.setdefault(person, WALLET_STARS)

    def link(self, invoice: Invoice) -> str:
        """A new link that opens this invoice."""
        url = LINK + secrets.token_urlsafe(12)
        self.links[url] = invoice
        return url

    # A payment ---------------------------------------------------------------------------------

    def open_checkout(self) -> tuple[str, Checkout]:
        """A question to the bot, good for ten seconds."""
        query_id = str(secrets.randbits(62))
        answered: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self.checkouts[query_id] = Checkout(answered, time.monotonic() + CHECKOUT_SECONDS)
        return query_id, self.checkouts[query_id]

    def answer(self, query_id: str, refusal: str | None) -> None:
        """The bot's answer; a question is answered once, in time."""
        checkout = self.checkouts.pop(query_id, None)
        if checkout is None or checkout.expires < time.monotonic():
            raise bad_request("query is too old and response timeout expired or query ID is invalid")
        if not checkout.answered.done():
            checkout.answered.set_result(refusal)

    def charge(self, user: Json, invoice: Invoice) -> Charge:
        """Take the Stars from a person and put them down in the bot's list."""
        charge = Charge(f"stx{secrets.token_urlsafe(40)}", user, invoice)
        self.charges[charge.id] = charge
        self.wallets[user["id"]] = self.wallet(user["id"]) - invoice.stars
        partner: Json = {
            "type": "user",
            "transaction_type": "invoice_payment",
            "user": user,
            "invoice_payload": invoice.payload,
        }
        if invoice.period:
            partner["subscription_period"] = invoice.period
        self._book(charge.id, invoice.stars, source=partner)
        return charge

    # What goes back ----------------------------------------------------------------------------

    def refund(self, user_id: int, charge_id: str) -> Charge:
        """Give a payment back, or say why not in Telegram's words."""
        if not charge_id:
            raise bad_request("CHARGE_ID_EMPTY")
        charge = self.charges.get(charge_id)
        if charge is None:
            raise bad_request("CHARGE_NOT_FOUND")
        if charge.user["id"] != user_id:
            raise bad_request("USER_ID_INVALID")
        if charge.is_refunded:
            raise bad_request("CHARGE_ALREADY_REFUNDED")
        charge.is_refunded = True
        self.wallets[user_id] = self.wallet(user_id) + charge.invoice.stars
        partner: Json = {"type": "user", "transaction_type": "invoice_payment", "user": charge.user}
        self._book(charge.id, -charge.invoice.stars, receiver=partner)
        return charge

    def charge_back(self, charge_id: str) -> None:
        """The shop where the Stars were bought took the money back, and Telegram takes the Stars."""
        charge = self.charges[charge_id]
        charge.is_refunded = True
        self._book(charge.id, -charge.invoice.stars, receiver={"type": "other"})

    def withdraw(self, stars: int) -> None:
        """The owner takes Stars out by Fragment."""
        self._book(secrets.token_urlsafe(16), -stars, receiver={"type": "fragment"})

    def _book(self, transaction_id: str, stars: int, **partner: Json) -> None:
        self.bot_stars += stars
        line = {"id": transaction_id, "amount": abs(stars), "date": int(time.time())}
        self.transactions.append(line | partner)

    # Subscriptions -----------------------------------------------------------------------------

    def subscription(self, user_id: int, charge_id: str) -> Subscription:
        found = self.subscriptions.get(charge_id)
        if found is None or found.charge.user["id"] != user_id:
            raise bad_request("CHARGE_NOT_FOUND")
        return found
