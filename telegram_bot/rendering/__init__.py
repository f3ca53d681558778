"""A model's Markdown as Telegram shows it: in messages of legal length, or as a draft.

Rich messages are made in composing.py: they are of aiogram's types, which the web server does not load.
"""

from __future__ import annotations

from telegram_bot.rendering.blocks import lay_out
from telegram_bot.rendering.characters import clean
from telegram_bot.rendering.choosing import Wish, is_rich, needs_rich_already
from telegram_bot.rendering.cutting import cut
from telegram_bot.rendering.drafts import preview
from telegram_bot.rendering.entities import MESSAGE_UNITS_MAX, Entity, Rendered
from telegram_bot.rendering.page import verbatim

__all__ = [
    "Entity",
    "Rendered",
    "Wish",
    "is_rich",
    "needs_rich_already",
    "plain",
    "preview",
    "render",
    "split",
]


def render(source: str) -> Rendered:
    """The whole answer, however long it is; its text is empty when there is nothing to see."""
    return lay_out(clean(source)).whole()


def split(source: str, limit: int = MESSAGE_UNITS_MAX) -> tuple[Rendered, ...]:
    """The answer as parts of at most `limit` UTF-16 code units; none when there is nothing to see.

    The parts are successive stretches of the whole rendered text, with nothing but blanks between them.
    """
    return cut(lay_out(clean(source)), limit)


def plain(source: str, limit: int = MESSAGE_UNITS_MAX) -> tuple[Rendered, ...]:
    """The source itself as parts without entities: what is sent when Telegram refuses the rendered ones."""
    return cut(verbatim(clean(source).expandtabs(4)), limit)
