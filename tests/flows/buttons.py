"""Buttons as a person sees them: by the words that stand on them."""

from typing import Any

from telegram_bot.playground.people import Person


def words_on(message: dict[str, Any]) -> list[str]:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["text"] for row in rows for button in row]


def data_of(message: dict[str, Any], words: str) -> str:
    """What the first button that says `words` carries."""
    buttons = [button for row in message["reply_markup"]["inline_keyboard"] for button in row]
    data: str = next(button["callback_data"] for button in buttons if words in button["text"])
    return data


async def press(person: Person, message: dict[str, Any], words: str) -> None:
    """Press a button and wait until the bot has answered the press."""
    before = len(person.answers)
    await person.press(message["message_id"], data_of(message, words))
    await person.wait_until(lambda: person.answers[before] if len(person.answers) > before else None)


async def changed(person: Person, message: dict[str, Any]) -> dict[str, Any]:
    """The same message once it says something else than it did."""
    number = message["message_id"]

    def other() -> dict[str, Any] | None:
        now = next(one for one in person.replies if one["message_id"] == number)
        looks = ("text", "reply_markup")
        return now if [now.get(name) for name in looks] != [message.get(name) for name in looks] else None

    return await person.wait_until(other)
