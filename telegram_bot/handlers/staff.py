"""Commands of staff. To everybody else they do not exist: they are answered like any unknown command."""

import uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.filters import Command, CommandObject, Filter
from aiogram.types import Message

from accounts.admin_pages import REASON_MAX
from accounts.models import Staff
from billing.errors import AmountUnusable
from config.aio import in_db
from telegram_bot import staff_acts
from telegram_bot.handlers import reply
from telegram_bot.staff_acts import NoSuchPerson
from telegram_bot.wording import clean

# The key of a top-up comes from its message: an update that is handled twice adjusts once.
MESSAGES = uuid.UUID("6d0c1a2e-6f2b-4c0e-9b51-0a7b8f3f5d10")


class May(Filter):
    """Only for staff with this permission, who are handed on as `staff`."""

    def __init__(self, permission: str) -> None:
        self.permission = permission

    async def __call__(self, message: Message) -> bool | dict[str, Any]:
        if message.from_user is None:
            return False
        staff = await in_db(staff_acts.staff_with)(message.from_user.id, self.permission)
        return {"staff": staff} if staff is not None else False


async def on_topup(message: Message, command: CommandObject, staff: Staff) -> None:
    """/topup id|@name ±amount reason."""
    target, amount, reason = _words(command, 3)
    try:
        dollars = Decimal(amount.replace("−", "-").replace("$", "").replace(",", "."))
    except InvalidOperation:
        dollars = Decimal(0)
    if not (reason and dollars.is_finite() and dollars):
        await reply(message, "staff_how", command="topup")
        return
    form = uuid.uuid5(MESSAGES, f"{message.chat.id}:{message.message_id}")
    try:
        done = await in_db(staff_acts.top_up)(staff, target, dollars, reason, form=form)
    except NoSuchPerson:
        await reply(message, "staff_nobody", target=target)
    except AmountUnusable:
        await reply(message, "staff_how", command="topup")
    else:
        await reply(message, "staff_topped_up", done=done)


async def on_ban(message: Message, command: CommandObject, staff: Staff) -> None:
    """/ban id|@name reason."""
    target, reason = _words(command, 2)
    if not reason:
        await reply(message, "staff_how", command="ban")
        return
    await _about(message, target, "staff_banned", staff_acts.ban, staff, target, reason[:REASON_MAX])


async def on_unban(message: Message, command: CommandObject, staff: Staff) -> None:
    """/unban id|@name."""
    (target,) = _words(command, 1)
    if not target:
        await reply(message, "staff_how", command="unban")
        return
    await _about(message, target, "staff_unbanned", staff_acts.unban, staff, target)


async def on_stats(message: Message) -> None:
    """/stats: today beside yesterday."""
    await reply(message, "staff_stats", stats=await in_db(staff_acts.stats)())


async def on_announce(message: Message, command: CommandObject) -> None:
    """/announce [text]: the page where it is written, looked at and confirmed."""
    await reply(message, "staff_announce", address=staff_acts.announcement_address(clean(command.args or "")))


async def _about(
    message: Message, target: str, sentence: str, act: Callable[..., str], *args: object
) -> None:
    """Do something about one person, and say so, or that there is nobody."""
    try:
        name = await in_db(act)(*args)
    except NoSuchPerson:
        await reply(message, "staff_nobody", target=target)
    else:
        await reply(message, sentence, name=name)


def _words(command: CommandObject, count: int) -> list[str]:
    """The command's first words, the last of them with all the rest; missing ones are empty."""
    words = clean(command.args or "").split(maxsplit=count - 1)
    return [*words, *[""] * (count - len(words))]


def router() -> Router:
    """What leads here."""
    router = Router(name="staff")
    router.message.filter(F.chat.type == ChatType.PRIVATE)
    router.message.register(on_topup, Command("topup"), May("billing.adjust_balance"))
    router.message.register(on_ban, Command("ban"), May("accounts.block_person"))
    router.message.register(on_unban, Command("unban"), May("accounts.block_person"))
    router.message.register(on_stats, Command("stats"), May("billing.view_balanceoperation"))
    router.message.register(on_announce, Command("announce"), May("telegram_bot.announce"))
    return router
