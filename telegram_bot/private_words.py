"""What is between the bot and one person in a group: balances, prices, what staff decided."""

from telegram_bot import keyboards
from telegram_bot.outgoing import Destination, Unreachable, Words
from telegram_bot.texts import say


async def privately(
    to: Destination, person: int, words: Words, language: str, *, whisper: int | None = None
) -> None:
    """Tell one member of a group something nobody else should read. `whisper` is the ephemeral message it answers.

    First as an ephemeral message, which Telegram takes from administrators and as the answer to one; else in
    the private chat, if there is one; else a line in the group says where to find it, and nothing more.
    Raises Unreachable when the group is gone.
    """
    if await to.whisper(words, person, to_whisper=whisper):
        return
    try:
        await Destination(to.bot, person).say(words.text, keyboard=words.keyboard)
    except Unreachable:
        button = keyboards.link(say("open_private", language), await private_link(to))
        await to.say(say("in_private", language), keyboard=button)


async def private_link(to: Destination, start: str = "group") -> str:
    """The address that opens the private chat with the bot."""
    me = await to.bot.me()
    return f"https://t.me/{me.username}?start={start}"
