"""What it is to listen: the shapes that transcribers and their callers agree on. Pure."""

from dataclasses import dataclass
from typing import Protocol

UNIT = "transcription-second"  # what a second of it costs stands in billing.Price


@dataclass(frozen=True, slots=True)
class Recording:
    """Something somebody said, as it came."""

    content: bytes
    mime: str
    seconds: int  # as the sender's app says, or the file
    language: str = ""  # that is spoken, in ISO 639-1, where somebody knows it


@dataclass(frozen=True, slots=True)
class Heard:
    """The words, and how many seconds the vendor counted, if it said so."""

    text: str
    seconds: int = 0


class NotHeard(Exception):
    """No words came of a recording; `key` names the sentence: busy, damaged, key, and those of spending."""

    def __init__(self, key: str, detail: str = "") -> None:
        super().__init__(f"{key}: {detail}" if detail else key)
        self.key = key


class Listen(Protocol):
    async def __call__(self, recording: Recording) -> Heard:
        """The words of a recording. Raises NotHeard."""
        ...


@dataclass(frozen=True, slots=True)
class Transcriber:
    """Somebody who listens, as data."""

    name: str  # the vendor's exact id, kept with the charge
    bytes_max: int
    seconds_max: int  # of speech, at once
    kinds: frozenset[str]  # media types it takes
    listen: Listen
