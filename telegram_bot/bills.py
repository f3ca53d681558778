"""What an invoice says, as a message or as a link."""

from dataclasses import dataclass
from typing import Any

from aiogram.methods import CreateInvoiceLink, SendInvoice
from aiogram.types import LabeledPrice

from billing.stars import CURRENCY, MONTH_SECONDS


@dataclass(frozen=True, slots=True)
class Bill:
    """A title of at most 32 characters, a description of at most 255, an order's payload and its Stars."""

    title: str
    description: str
    payload: str
    stars: int

    def message(self, chat_id: int, topic: int | None = None) -> SendInvoice:
        return SendInvoice(chat_id=chat_id, message_thread_id=topic, **self._fields())

    def monthly_link(self) -> CreateInvoiceLink:
        """A subscription is paid through a link; Telegram takes no message of one."""
        return CreateInvoiceLink(subscription_period=MONTH_SECONDS, **self._fields())

    def _fields(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "description": self.description,
            "payload": self.payload,
            "currency": CURRENCY,
            "prices": [LabeledPrice(label=self.title, amount=self.stars)],
            "provider_token": "",  # Stars need none
        }
