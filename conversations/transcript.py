"""An epoch as one text, for the model that sums it up, and what of it is carried over word for word. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conversations.contracts import Reason
from conversations.history import BYTES_PER_TOKEN, Row, to_request_messages
from conversations.parts import (
    File,
    FileText,
    Part,
    Parts,
    Summary,
    Text,
    ToolCall,
    ToolResult,
    framed,
    named,
    text_of,
)

RESULT_MAX = 2_000  # characters of one call or result: what came of it stands in the answer
VERBATIM_MAX = 40_000  # characters of one side of the last exchange; of a longer one its end is kept
UNFINISHED = frozenset({Reason.TOOLS, Reason.LENGTH, Reason.PAUSE, Reason.CONTEXT})
CUT = "[…]"

OPEN = {"user": "Person", "assistant": "Assistant", "system": "Note"}


@dataclass(frozen=True, slots=True)
class Carried:
    """What a new epoch repeats as it was said: no thought and no call among it."""

    question: str = ""  # of the last exchange that was finished
    answer: str = ""
    files: tuple[File, ...] = ()  # that came with its question
    said: str = ""  # of the answer under way
    waiting: Parts = ()  # what the person wrote and still waits for an answer to


def carried_over(rows: Sequence[Row]) -> Carried:
    """The last finished exchange, and the one under way."""
    end = _behind_the_last_answer(rows)
    start = _behind_the_last_answer(rows[: max(end - 1, 0)])
    asked = [part for row in rows[start:end] if row.role == "user" for part in _written(row.parts)]
    return Carried(
        question=_end_of(_joined(asked)),
        answer=_end_of(_answered(rows[start:end])),
        files=tuple(part for part in asked if isinstance(part, File)),
        said=_end_of(_answered(rows[end:])),
        waiting=tuple(part for row in rows[end:] if row.role == "user" for part in _written(row.parts)),
    )


def _behind_the_last_answer(rows: Sequence[Row]) -> int:
    """Where the exchange under way begins; 0 when none was finished."""
    for place in range(len(rows) - 1, -1, -1):
        if rows[place].role == "assistant" and rows[place].reason not in UNFINISHED:
            return place + 1
    return 0


def _written(parts: Parts) -> Iterator[Part]:
    """What the person themselves wrote and sent."""
    return (part for part in parts if isinstance(part, Text | File))


def _joined(parts: Sequence[Part]) -> str:
    return "\n".join(filter(None, map(_told, parts)))


def _answered(rows: Sequence[Row]) -> str:
    return "\n\n".join(words for row in rows if row.role == "assistant" if (words := text_of(row.parts)))


def _end_of(words: str) -> str:
    return words if len(words) <= VERBATIM_MAX else CUT + words[-VERBATIM_MAX:]


# The whole of it ---------------------------------------------------------------------------------


def transcript(rows: Sequence[Row], *, tokens_max: int) -> str:
    """Everything the rows say, as one text of so many tokens at most: the earliest gives way, but no summary."""
    blocks = [
        f"{OPEN[message.role]}:\n{words}"
        for message in to_request_messages(rows)
        if (words := "\n".join(filter(None, map(_told, message.parts))))
    ]
    first = blocks[:1] if rows and any(isinstance(part, Summary) for part in rows[0].parts) else []
    rest = "\n\n".join(blocks[len(first) :])
    room = tokens_max * BYTES_PER_TOKEN - sum(len(block.encode("utf-8", "replace")) for block in first)
    encoded = rest.encode("utf-8", "replace")
    if len(encoded) > room:
        rest = CUT + encoded[-max(room, 0) :].decode("utf-8", "ignore") if room > 0 else CUT
    return "\n\n".join([*first, rest])


def _told(part: object) -> str:
    match part:
        case Text():
            return part.text
        case File():
            return named(part)
        case FileText():
            return _short(framed(part).text)
        case ToolCall():
            return f"(calls {part.name}: {_short(str(part.arguments))})"
        case ToolResult():
            return f"({part.name} {'failed' if part.is_error else 'gave'}: {_short(part.text)})"
        case _:
            return ""


def _short(words: str) -> str:
    return words if len(words) <= RESULT_MAX else words[:RESULT_MAX] + CUT
