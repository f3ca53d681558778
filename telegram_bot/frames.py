"""One frame of a growing draft: the answer so far and, apart from it, what the tools are doing. Pure."""

from collections.abc import Sequence

from aiogram.types import MessageEntity

from telegram_bot.outgoing import entities_of
from telegram_bot.rendering import preview

PREVIEW_UNITS = 3800  # UTF-16 units of Telegram's 4096: the rest is for the labels of running tools
LABEL_SECONDS = 3.0  # how often a running tool's seconds are counted on

Frame = tuple[str, list[MessageEntity]]


def frame_of(source: str, tools: Sequence[tuple[str, float]], now: float) -> Frame:
    """Text and entities; both empty is Telegram's own "Thinking…".

    `tools` are the running ones: a label, and since when by the clock that says `now`, in seconds.
    """
    rendered = preview(source, PREVIEW_UNITS)
    text, entities = (rendered.text, entities_of(rendered)) if rendered else ("", [])
    labels = [
        f"{label} {int(now - since)} s" if now - since >= LABEL_SECONDS else label for label, since in tools
    ]
    if labels:
        text += "\n\n" if text else ""
        doing = "\n".join(labels)
        entities.append(MessageEntity(type="italic", offset=_units(text), length=_units(doing)))
        text += doing
    return text, entities


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
