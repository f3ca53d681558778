"""What a person reads of a message or a draft, classic or rich."""

from typing import Any

from telegram_bot.playground.rich import words_of_blocks

Json = dict[str, Any]


def words(message: Json) -> str:
    """The words of a message; of a rich one those of its blocks, a line each."""
    if "rich_message" in message:
        return words_of_blocks(message["rich_message"]["blocks"])
    return str(message.get("text", ""))


def kinds(message: Json) -> list[str]:
    """The kinds of the blocks of a rich message; none of a classic one."""
    return [block["type"] for block in message.get("rich_message", {}).get("blocks", [])]


def button(message: Json) -> Json:
    """The one button below a message."""
    ((only,),) = message["reply_markup"]["inline_keyboard"]
    return dict(only)
