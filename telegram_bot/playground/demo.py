"""The groups of the playground: something to look at before anybody has written a word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from telegram_bot.playground.server import Playground

ANNA, BORIS, CHEN, DALIA = 1001, 1002, 1003, 1004
HIKING: Final = -1001700000001
PHYSICS: Final = -1001700000002
BOOKS: Final = -1001700000003


def furnish(telegram: Playground) -> None:
    """A group the bot is in, a forum with topics where it is an administrator, and a group it is no member of."""
    anna, boris, chen, dalia = (telegram.person(number) for number in (ANNA, BORIS, CHEN, DALIA))
    hiking = telegram.group(HIKING, "Weekend in the mountains", anna, boris, chen)
    hiking.recall(BORIS, "Saturday, 8 o'clock at the station?")
    hiking.recall(CHEN, "I bring the tea.")
    hiking.recall(ANNA, "Shall we ask Starling what to pack?")
    physics = telegram.group(PHYSICS, "Physics course", dalia, anna, chen, is_forum=True, bot="administrator")
    waves = telegram.state.open_topic(physics.room, dalia.profile.user(), "Waves")
    telegram.state.open_topic(physics.room, dalia.profile.user(), "Optics")
    physics.recall(CHEN, "Why is the sky blue and not violet?", topic=waves.id)
    books = telegram.group(BOOKS, "Book club", boris, anna, dalia, bot="never")
    books.recall(
        ANNA, "Bulgakov next? The bot is not in this group, but answers as a guest when it is mentioned."
    )
    telegram.state.updates.clear()  # all this was before the bot looked
