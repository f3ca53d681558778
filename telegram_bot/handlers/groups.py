"""Groups: who speaks to the bot there is answered, everybody else is left alone. Who asks pays."""

from dataclasses import replace
from typing import Any

from aiogram import Bot, F, Router
from aiogram.enums import ChatType
from aiogram.exceptions import TelegramAPIError
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, ChatMemberUpdated, InlineKeyboardMarkup, Message, User
from django.core.cache import cache
from django.utils.translation import gettext_lazy as _

from accounts.services import language_by_telegram
from billing import statement
from config.aio import in_db
from conversations import groups
from telegram_bot import keyboards, people
from telegram_bot.addressing import is_a_person, is_addressed, quoted, said, spoken
from telegram_bot.answering import Answers
from telegram_bot.bursts import Bursts
from telegram_bot.files import Porter
from telegram_bot.handlers import commands, reply
from telegram_bot.handlers.commands import MenuEntry
from telegram_bot.inbox import LATER
from telegram_bot.intake import TEXT_MAX, Inbound, profile_of, to_inbound, topic_of
from telegram_bot.keyboards import StopPress
from telegram_bot.outgoing import Destination, Unreachable, Words
from telegram_bot.private_words import private_link, privately
from telegram_bot.services import Desk
from telegram_bot.texts import say

GROUPS = {ChatType.GROUP, ChatType.SUPERGROUP}
IN_GROUP = F.chat.type.in_(GROUPS)
PRESENT = {"member", "administrator", "restricted", "creator"}
ADMINISTRATORS = {"administrator", "creator"}
TOLD_SECONDS = 24 * 3600  # channels and nameless administrators are told once a day why they get no answer

GROUP_MENU = [
    MenuEntry("ask", _("ask me something")),
    MenuEntry("new", _("start a fresh conversation")),
    MenuEntry("stop", _("stop the answer")),
    MenuEntry("retry", _("ask your last question again")),
    MenuEntry("balance", _("see your balance"), is_ephemeral=True),
    MenuEntry("help", _("all commands")),
]


async def on_question(message: Message, bot: Bot, bursts: Bursts, update_id: int) -> object:
    """A message that mentions the bot or replies to it; all others are nobody's business but the group's.

    Of an album only one picture bears the words: the others wait with their burst for what those say.
    """
    me = await bot.me()
    if is_addressed(message, me):
        return await take(message, said(message, me), me, bursts, update_id)
    if message.media_group_id is None or message.from_user is None:
        return None
    beside = _inbound(message, said(message, me))
    if beside is None:
        return None
    beside = replace(beside, parts=spoken(beside.parts, message.from_user))
    bursts.add(beside, update_id, is_asked=False)
    return LATER


async def on_ask(
    message: Message, command: CommandObject, bot: Bot, bursts: Bursts, update_id: int
) -> object:
    """/ask and the question behind it."""
    return await take(message, command.args or "", await bot.me(), bursts, update_id)


async def take(message: Message, words: str, me: User, bursts: Bursts, update_id: int) -> object:
    """Put a question to its burst, marked with who speaks and with what they point at."""
    assert message.from_user is not None, "only people's questions come here"
    if len(words) > TEXT_MAX:
        await reply(message, "too_long")
        return None
    quote = quoted(message, me)
    inbound = _inbound(message, words or ("?" if quote else ""))
    if inbound is None or message.message_id == 0:  # an ephemeral message has no number to be stored under
        await reply(message, "group_hint", username=me.username)
        return None
    bursts.add(replace(inbound, parts=spoken(inbound.parts, message.from_user, quote)), update_id)
    return LATER


async def on_edit(message: Message, bot: Bot, porter: Porter, answers: Answers, update_id: int) -> object:
    """A question changed after it was sent, as in private; what asks nobody is not looked at."""
    me = await bot.me()
    words, is_command = said(message, me), False
    if words.startswith("/"):
        command, _, words = words.partition(" ")
        is_command = command.lower() in ("/ask", f"/ask@{me.username}".lower())
    if not (is_command or is_addressed(message, me)) or message.from_user is None or not is_a_person(message):
        return None
    quote = quoted(message, me)
    inbound = _inbound(message, words.strip() or ("?" if quote else ""))
    if inbound is None or inbound.edited_at is None or message.location is not None:
        return None
    inbound = replace(inbound, parts=spoken(inbound.parts, message.from_user, quote))
    brought = await porter.bring(inbound)
    if brought.parts:
        await answers.receive_edit(brought, update_id)
    return None


def _inbound(message: Message, words: str) -> Inbound | None:
    """The message as a conversation takes it, with these words for its own; what it answers is quoted by us."""
    field = "text" if message.text is not None else "caption"
    told_here = {"reply_to_message": None, "quote": None, "entities": None, "caption_entities": None}
    return to_inbound(message.model_copy(update={field: words, **told_here}))


async def on_nobody(message: Message, bot: Bot) -> None:
    """A channel or a nameless administrator: there is no account to charge, so there is no answer."""
    if message.sender_chat is None or message.is_automatic_forward:
        return  # another bot, or a channel's post on its way into its group
    command = (message.text or "").startswith("/")
    me = await bot.me()
    meant = is_addressed(message, me) or (
        command and f"@{me.username}".lower() in (message.text or "").lower()
    )
    if meant and cache.add(f"told:{message.chat.id}:{message.sender_chat.id}", 1, TOLD_SECONDS) is not False:
        await _say(Destination(bot, message.chat.id, topic_of(message)), say("group_nobody", "en"))


async def on_new(message: Message, desk: Desk, answers: Answers) -> None:
    """A fresh thread for this group or topic; the answer the person waits for is stopped, nobody else's is."""
    assert message.from_user is not None
    for asked in await in_db(groups.running_in)(message.chat.id, topic_of(message)):
        if asked.telegram_id == message.from_user.id:
            await answers.stop_turn(asked.turn)
    await in_db(people.start_over)(
        profile_of(message.from_user),
        chat_telegram_id=message.chat.id,
        chat_title=message.chat.full_name,
        chat_kind=message.chat.type,
        topic=topic_of(message),
        tools=list(desk.tools.values()),
    )
    await reply(message, "new")


async def on_stop(message: Message, bot: Bot, answers: Answers) -> None:
    """Stop what one asked oneself; administrators stop anything."""
    assert message.from_user is not None
    running = await in_db(groups.running_in)(message.chat.id, topic_of(message))
    if not running:
        await reply(message, "nothing_to_stop")
        return
    own = [asked for asked in running if asked.telegram_id == message.from_user.id]
    stopping = own or (running if await _is_administrator(bot, message) else [])
    for asked in stopping:
        await answers.stop_turn(asked.turn)
    if not stopping:
        await reply(message, "stop_not_yours", name=running[0].name)


async def _is_administrator(bot: Bot, message: Message) -> bool:
    assert message.from_user is not None
    try:
        member = await bot.get_chat_member(message.chat.id, message.from_user.id)
    except TelegramAPIError:
        return False
    return member.status in ADMINISTRATORS


async def on_balance(message: Message, bot: Bot) -> None:
    """The balance, told to its owner only."""
    assert message.from_user is not None
    user_id, _ = await in_db(people.customer)(profile_of(message.from_user))
    account = await in_db(statement.statement_of)(user_id)
    await _privately(message, bot, "balance", account=account, days=statement.DAYS)


async def on_help(message: Message, bot: Bot) -> None:
    me = await bot.me()
    await reply(message, "group_help", menu=GROUP_MENU, username=me.username)


async def on_start(message: Message, bot: Bot) -> None:
    me = await bot.me()
    await reply(message, "group_hello", username=me.username)


async def on_other_command(message: Message, bot: Bot) -> None:
    """A command of ours that belongs into the private chat; other bots' commands are not ours to answer."""
    assert message.from_user is not None
    named, _, whose = (message.text or "").split()[0].removeprefix("/").partition("@")
    me = await bot.me()
    if whose.lower() != (me.username or "").lower():
        return
    if named.lower() not in {entry.command for entry in commands.MENU}:
        await reply(message, "unknown_command")
        return
    language = await in_db(language_by_telegram)(message.from_user.id, message.from_user.language_code or "")
    to = Destination(bot, message.chat.id, topic_of(message))
    button = keyboards.link(say("open_private", language), await private_link(to))
    await _say(to, say("write_in_private", language), button)


async def _privately(message: Message, bot: Bot, sentence: str, **context: Any) -> None:
    assert message.from_user is not None
    person = message.from_user
    language = await in_db(language_by_telegram)(person.id, person.language_code or "")
    to = Destination(bot, message.chat.id, topic_of(message))
    words = Words(say(sentence, language, **context))
    try:
        await privately(to, person.id, words, language, whisper=message.ephemeral_message_id)
    except Unreachable:
        return


async def _say(to: Destination, words: str, keyboard: InlineKeyboardMarkup | None = None) -> None:
    try:
        await to.say(words, keyboard=keyboard)
    except Unreachable:
        return


# What happens to the group --------------------------------------------------------------------------


async def on_membership(change: ChatMemberUpdated, bot: Bot) -> None:
    """Added: one short hello. Thrown out: the group is dead until somebody adds the bot again."""
    if change.new_chat_member.status not in PRESENT:
        await in_db(groups.leave_group)(change.chat.id)
        return
    is_new = await in_db(groups.greet_group)(
        telegram_id=change.chat.id, kind=change.chat.type, title=change.chat.full_name
    )
    if is_new and change.old_chat_member.status not in PRESENT:
        me = await bot.me()
        person = change.from_user
        language = await in_db(language_by_telegram)(person.id, person.language_code or "")
        await _say(Destination(bot, change.chat.id), say("group_hello", language, username=me.username))


async def on_migration(message: Message) -> None:
    """A group became a supergroup: told once in the old chat and once in the new one."""
    if message.migrate_to_chat_id is not None:
        await in_db(groups.migrate_chat)(old=message.chat.id, new=message.migrate_to_chat_id)
    elif message.migrate_from_chat_id is not None:
        await in_db(groups.migrate_chat)(old=message.migrate_from_chat_id, new=message.chat.id)


# Buttons ------------------------------------------------------------------------------------------------


async def on_stop_press(query: CallbackQuery, callback_data: StopPress, answers: Answers) -> None:
    """The Stop button below a growing answer: for who asked, and nobody else."""
    if not await _is_theirs(query, callback_data.turn):
        return
    _, language = await in_db(people.known)(profile_of(query.from_user))
    if await answers.stop_turn(callback_data.turn):
        await query.answer()
    else:
        await query.answer(say("nothing_to_stop", language))


async def _is_theirs(query: CallbackQuery, turn_id: int) -> bool:
    """Did this person ask that turn? Somebody else is told whose it is."""
    asked = await in_db(groups.asked)(turn_id)
    if asked is None or asked.telegram_id == query.from_user.id:
        return True
    _, language = await in_db(people.known)(profile_of(query.from_user))
    await query.answer(say("stop_not_yours", language, name=asked.name), show_alert=True)
    return False


def router() -> Router:
    """What leads here."""
    router = Router(name="groups")
    message = router.message
    message.register(on_migration, IN_GROUP, F.migrate_to_chat_id | F.migrate_from_chat_id)
    message.register(on_nobody, IN_GROUP, lambda message: not is_a_person(message))
    for name, handler in (
        ("ask", on_ask),
        ("new", on_new),
        ("stop", on_stop),
        ("retry", commands.on_retry),
        ("balance", on_balance),
        ("help", on_help),
        ("start", on_start),
    ):
        message.register(handler, IN_GROUP, Command(name))
    message.register(on_other_command, IN_GROUP, F.text.startswith("/"))
    message.register(on_question, IN_GROUP)
    router.edited_message.register(on_edit, IN_GROUP)
    router.my_chat_member.register(on_membership, IN_GROUP)
    router.callback_query.register(on_stop_press, StopPress.filter())
    return router
