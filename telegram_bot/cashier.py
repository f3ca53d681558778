"""The bot process's part in payments: receipts, refunds and Telegram's own list of what was paid.

What is to be done stands in the rows; this only does it, at once when a handler asks and otherwise every
half minute. One pair of hands per payment here; against other processes the rows themselves decide.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog
from aiogram import Bot
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
)
from aiogram.types import StarTransaction, TransactionPartnerOther, TransactionPartnerUser

from billing import reconcile, refunds, stars
from billing.models import Payment
from billing.reconcile import PAGE, Found, Transaction
from config.aio import in_db
from config.patience import patiently
from telegram_bot.intake import profile_of
from telegram_bot.outgoing import Destination, Unreachable
from telegram_bot.texts import say

log = structlog.get_logger(__name__)

RECONCILE_SECONDS = 600.0
CALL_SECONDS = 30  # of one call to Telegram; a refund is asked for again after a minute
ALREADY = "CHARGE_ALREADY_REFUNDED"  # also said after a refund that had just succeeded (telegram-bot-api#690)
RECEIPTS = {
    Payment.State.PAID: "payment_receipt",
    Payment.State.REFUNDED: "refund_done",
    Payment.State.REFUND_RETURNED: "refund_returned",
}


class Cashier:
    """Brings payments to their end with Telegram and the person."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._reconciling = asyncio.Lock()

    # Receipts ------------------------------------------------------------------------------------

    def tell(self, payment_id: int) -> None:
        """Have the person told of the state their payment is in."""
        self._start("tell", payment_id, self._tell(payment_id))

    async def _tell(self, payment_id: int) -> None:
        receipt = await patiently(stars.receipt_of)(payment_id)
        if receipt is None:
            return
        payment = receipt.payment
        sentence = RECEIPTS[Payment.State(payment.state)]
        words = say(sentence, receipt.language, payment=payment, balance=receipt.balance)
        if receipt.telegram_id is not None:
            try:
                await Destination(self._bot, receipt.telegram_id).say(words)
            except Unreachable:
                log.info("receipt.unreachable", payment=payment_id)
        await patiently(stars.receipt_sent)(payment_id, payment.state)

    # Refunds -------------------------------------------------------------------------------------

    def refund(self, payment_id: int) -> None:
        """Go on with a refund that was asked for."""
        self._start("refund", payment_id, self._refund(payment_id))

    async def _refund(self, payment_id: int) -> None:
        await patiently(refunds.debit)(payment_id)
        call = await patiently(refunds.claim_call)(payment_id)
        if call is not None:
            await self._give_back(payment_id, call)
        self.tell(payment_id)

    async def _give_back(self, payment_id: int, call: refunds.Call) -> None:
        """Ask Telegram once; what it leaves open stays open, and is asked again or seen in its list."""
        try:
            await self._bot.refund_star_payment(
                call.telegram_id, call.charge_id, request_timeout=CALL_SECONDS
            )
        except (TelegramBadRequest, TelegramForbiddenError) as error:
            if ALREADY not in error.message:
                await patiently(refunds.refused)(payment_id, error.message)
                return
        except (TelegramAPIError, ClientDecodeError) as error:
            log.warning("refund.open", payment=payment_id, reason=str(error)[:200])
            return
        await patiently(refunds.done)(payment_id)

    # Telegram's list -----------------------------------------------------------------------------

    async def reconcile(self) -> Found | None:
        """Compare Telegram's list with our payments; None while Telegram cannot be asked."""
        async with self._reconciling:
            found = Found()
            offset = await in_db(reconcile.begin)()
            try:
                if offset and not await self._page(offset):
                    offset = 0  # the list is shorter than it was: another bot's
                while page := await self._page(offset):
                    offset += len(page)
                    await in_db(reconcile.compare)(page, found)
                    if len(page) < PAGE:
                        break
                    await in_db(reconcile.note)(offset)
            except (TelegramAPIError, ClientDecodeError) as error:
                log.warning("reconcile.away", reason=str(error)[:200])
                return None
            await in_db(reconcile.finish)(offset, found)
        if found.changed:
            log.warning("reconcile.found", what=str(found))
        await self.recover()
        return found

    async def _page(self, offset: int) -> list[Transaction]:
        read = self._bot.get_star_transactions
        lines = (await read(offset=offset, limit=PAGE, request_timeout=CALL_SECONDS)).transactions
        return [transaction_of(line) for line in lines]

    # What a crash left behind --------------------------------------------------------------------

    async def recover(self) -> None:
        """Send what receipts are due, go on with refunds, and reconcile when staff asked for it."""
        for payment in await in_db(stars.receipts_due)():
            self.tell(payment)
        for payment in await in_db(refunds.under_way)():
            self.refund(payment)
        if not self._reconciling.locked() and await in_db(reconcile.is_asked)():
            await self.reconcile()

    def _start(self, what: str, payment_id: int, work: Coroutine[Any, Any, None]) -> None:
        if (what, payment_id) in self._tasks:
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks[what, payment_id] = task
        task.add_done_callback(lambda done: self._forget((what, payment_id), done))

    def _forget(self, what: tuple[str, int], task: "asyncio.Task[None]") -> None:
        del self._tasks[what]
        if not task.cancelled() and (error := task.exception()):
            log.error("cashier.lost", what=what[0], payment=what[1], exc_info=error)

    async def drain(self, seconds: float) -> None:
        """Going down: let what is nearly done be done; the rest stands in the rows."""
        tasks = set(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def transaction_of(line: StarTransaction) -> Transaction:
    """A line of Telegram's list as the books take it."""
    incoming = line.source is not None
    partner = line.source or line.receiver
    person = partner if isinstance(partner, TransactionPartnerUser) else None
    kind: Any = "other"
    if person is not None and person.transaction_type == "invoice_payment":
        kind = "payment" if incoming else "refund"
    elif not incoming and isinstance(partner, TransactionPartnerOther):
        kind = "chargeback"  # it has the id of the payment it takes back, or it matches nothing
    return Transaction(
        id=line.id,
        kind=kind,
        incoming=incoming,
        stars=line.amount,
        at=line.date,
        partner=f"{partner.type} {person.user.id}" if partner and person else str(partner and partner.type),
        person=profile_of(person.user) if person else None,
        payload=(person.invoice_payload or "") if person else "",
    )
