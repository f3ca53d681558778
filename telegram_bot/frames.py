"""One frame of a growing answer: the answer so far and, apart from it, what the tools are doing. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiogram.types import (
    InputRichBlockParagraph,
    InputRichBlockThinking,
    InputRichMessage,
    MessageEntity,
    RichTextItalic,
)

from telegram_bot.outgoing import entities_of
from telegram_bot.rendering import Wish, needs_rich_already, preview
from telegram_bot.rendering.composing import rich_preview

PREVIEW_UNITS = 3800  # UTF-16 units of Telegram's 4096: the rest is for the labels of running tools
RICH_PREVIEW_CHARACTERS = 8000  # of a rich message's 32,768: the newest two screens, sent anew every second
LINE_MAX = 60  # characters of what a running tool tells: one line of a phone
LABEL_SECONDS = 3.0  # how often a running tool's seconds are counted on

Tools = Sequence[
    tuple[str, float, str]
]  # the running ones: a label, and since when by the clock of `now`, in seconds


@dataclass(frozen=True, slots=True)
class ClassicFrame:
    """Both empty is Telegram's own "Thinking…"."""

    text: str
    entities: list[MessageEntity]


@dataclass(frozen=True, slots=True)
class RichFrame:
    message: InputRichMessage


Frame = ClassicFrame | RichFrame


class Frames:
    """The frames of one turn. A stretch that was shown rich stays so: going back would flicker."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._is_rich = False

    def next_stretch(self) -> None:
        """What was shown so far has become a message that stays."""
        self._is_rich = False

    def frame(
        self, source: str, tools: Tools, now: float, *, may_be_rich: bool = True, is_draft: bool = True
    ) -> Frame:
        """The frame of an answer that stands at `source`; `may_be_rich` is False where Telegram refuses it."""
        if may_be_rich and self._wants_rich(source):
            rich = rich_preview(source, RICH_PREVIEW_CHARACTERS)
            if rich is not None:
                self._is_rich = True
                return RichFrame(_with_labels(rich.message, _labels(tools, now), is_draft))
        return _classic(source, _labels(tools, now))

    def _wants_rich(self, source: str) -> bool:
        return self._is_rich or self._wish == "rich" or (self._wish == "auto" and needs_rich_already(source))


def _labels(tools: Tools, now: float) -> list[str]:
    return [_label(*tool, now=now) for tool in tools]


def _with_labels(message: InputRichMessage, labels: Sequence[str], is_draft: bool) -> InputRichMessage:
    """Each label as Telegram's own sign of work in progress; elsewhere than in a draft it takes none."""
    below = [
        InputRichBlockThinking(text=label)
        if is_draft
        else InputRichBlockParagraph(text=RichTextItalic(text=label))
        for label in labels
    ]
    return message.model_copy(update={"blocks": [*(message.blocks or ()), *below]})


def _classic(source: str, labels: Sequence[str]) -> ClassicFrame:
    rendered = preview(source, PREVIEW_UNITS)
    text, entities = (rendered.text, entities_of(rendered)) if rendered else ("", [])
    if labels:
        text += "\n\n" if text else ""
        doing = "\n".join(labels)
        entities.append(MessageEntity(type="italic", offset=_units(text), length=_units(doing)))
        text += doing
    return ClassicFrame(text, entities)


def _label(label: str, since: float, line: str, *, now: float) -> str:
    words = f"{label} {int(now - since)} s" if now - since >= LABEL_SECONDS else label
    return f"{words} · {shown}" if (shown := " ".join(line.split())[:LINE_MAX]) else words


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
