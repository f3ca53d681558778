"""A rendered message as tests read it: the text and what each entity lies over."""

from __future__ import annotations

from telegram_bot.rendering import Entity, Rendered, render


def covered(rendered: Rendered, entity: Entity) -> str:
    """The text under an entity."""
    units = rendered.text.encode("utf-16-le")
    return units[2 * entity.offset : 2 * entity.end].decode("utf-16-le")


def entities(source: str) -> list[tuple[str, str]]:
    """The entities of a rendered source: type and text."""
    rendered = render(source)
    return [(entity.type, covered(rendered, entity)) for entity in rendered.entities]


def text(source: str) -> str:
    """The text of a rendered source."""
    return render(source).text
