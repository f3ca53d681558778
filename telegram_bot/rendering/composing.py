"""A finished piece of an answer as messages, classic or rich. Pure, but of aiogram's types."""

from __future__ import annotations

from telegram_bot.rendering import Wish, is_rich, split
from telegram_bot.rendering.rich import Part, Rich, enrich, rich_preview

__all__ = ["Part", "Rich", "compose", "enrich", "rich_preview"]


def compose(source: str, wish: Wish) -> tuple[Part, ...]:
    """A finished piece of an answer as the messages that stay, classic or rich as the person wishes."""
    return enrich(source) if is_rich(source, wish) else split(source)
