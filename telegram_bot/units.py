"""What a turn has for the person, piece by piece and in order: stretches of the model's Markdown, files, asides."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from conversations.contracts import TextDelta
from conversations.loop import FileReady, StepBegan, SummedUp, TurnEvent
from conversations.parts import Delivery
from telegram_bot.outgoing import Words


@dataclass(frozen=True, slots=True)
class Said:
    """A finished stretch of the model's Markdown, counted within its turn: the same rows give the same numbers."""

    number: int
    source: str


Unit = Said | Delivery | Words


class Units:
    """Folds a turn's events; `source` is the open end of the answer, still growing."""

    def __init__(self) -> None:
        self.source = ""
        self.closed: deque[Unit] = deque()
        self._gap = False  # a new step's first words stand in a paragraph of their own
        self._said = 0

    def add(self, event: TurnEvent) -> None:
        """Take in one event; what is no word and no file changes nothing."""
        match event:
            case TextDelta():
                self._grow(event.text)
            case StepBegan():
                self._gap = bool(self.source) and not event.continues
            case FileReady():
                self.put(event.delivery)
            case SummedUp():
                if event.cost is not None:
                    self.put()  # an aside comes here

    def put(self, unit: Delivery | Words | None = None) -> None:
        """End the stretch under way, and put this behind it."""
        if self.source.strip():
            self.closed.append(Said(self._said, self.source))
            self._said += 1
        self.source, self._gap = "", False
        if unit is not None:
            self.closed.append(unit)

    def _grow(self, text: str) -> None:
        if self._gap and text.strip():
            self.source += "\n\n"
            self._gap = False
        self.source += text


def said_in(events: Iterable[TurnEvent]) -> list[Said]:
    """The stretches of Markdown a turn has said, out of its events."""
    units = Units()
    for event in events:
        units.add(event)
    units.put()
    return [unit for unit in units.closed if isinstance(unit, Said)]
