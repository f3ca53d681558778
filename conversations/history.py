"""Rows into the messages of a request, and what must be true of them. Pure.

The same rows always give the same messages: a request for a thread begins with the bytes of the
one before. So nothing here looks at a clock, a setting or anything but the rows.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from conversations.contracts import Media, Reason, RequestMessage, Role
from conversations.parts import (
    File,
    FileText,
    Opaque,
    Part,
    Parts,
    Summary,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    framed,
    named,
    text_of,
)

TELEGRAM_TEXT_MAX = 4096  # UTF-16 units: a client cuts a longer paste here
BYTES_PER_TOKEN = 3  # on the safe side: English has 4 and more, Russian 5, Chinese 3
COUNTED = (
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output",
)  # of Usage: all tokens of a step
NO_RESULT = "The tool was interrupted and its outcome is unknown."


@dataclass(frozen=True, slots=True)
class Row:
    """What a stored message says: all that history needs of it."""

    role: Role
    parts: Parts
    reason: str = ""  # why the model stopped, of an assistant row
    usage: Mapping[str, Any] | None = None  # as it was reported, of an assistant row
    said_at: datetime | None = None


def to_request_messages(rows: Iterable[Row]) -> tuple[RequestMessage, ...]:
    """The conversation as a model is to read it: neighbours of one side joined, every call answered."""
    messages: list[RequestMessage] = []
    for assistant, group in groupby(rows, key=lambda row: row.role == "assistant"):
        side = list(group)
        if assistant:
            messages += _message("assistant", side)
        else:  # what a person said comes first, then what changed: vendors take it in this order only
            messages += _message("user", [row for row in side if row.role == "user"])
            messages += _message("system", [row for row in side if row.role == "system"])
    return _with_results(messages)


def _message(role: Role, rows: Sequence[Row]) -> list[RequestMessage]:
    joined = _join_pastes([part for row in rows for part in row.parts])
    whole = [Text(part.text) if isinstance(part, Summary) else part for part in joined]
    parts = tuple(part for part in whole if not isinstance(part, Text) or part.text.strip())
    return [RequestMessage(role, parts)] if parts else []


def _join_pastes(parts: Sequence[Part]) -> Parts:
    """Words that came in several messages become one text; a paste cut at the limit fits seamlessly."""
    joined: list[Part] = []
    piece = ""
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, Text) and isinstance(last, Text) and not (part.luggage or last.luggage):
            # A piece cut in mid-word fills the limit; one cut at a space or a line lost that character.
            glue = "" if _units(piece) == TELEGRAM_TEXT_MAX else "\n"
            joined[-1] = Text(last.text + glue + part.text)
        else:
            joined.append(part)
        piece = part.text if isinstance(part, Text) else ""
    return tuple(joined)


def joined_text(parts: Sequence[Part]) -> str:
    """The words of several messages as the one text that a person wrote."""
    return text_of(_join_pastes(parts))


def _units(text: str) -> int:
    return len(text) + sum(1 for character in text if ord(character) > 0xFFFF)


def _with_results(messages: Sequence[RequestMessage]) -> tuple[RequestMessage, ...]:
    """Give every call a result right behind it, in the order of the calls.

    A call without one makes every vendor refuse the thread for good, so an interrupted call gets a
    result that says so; a result without its call is let go.
    """
    whole: list[RequestMessage] = []
    open_calls: dict[str, ToolCall] = {}
    for message in messages:
        results = {part.call_id: part for part in message.parts if isinstance(part, ToolResult)}
        rest: tuple[Part | Media, ...] = tuple(
            part for part in message.parts if not isinstance(part, ToolResult)
        )
        if open_calls:
            answers = tuple(results.get(call.id) or _unanswered(call) for call in open_calls.values())
            if message.role == "user":
                rest = answers + rest
            else:
                whole.append(RequestMessage("user", answers))
        open_calls = {part.id: part for part in rest if isinstance(part, ToolCall)}
        if rest:
            whole.append(RequestMessage(message.role, rest))
    if open_calls:
        whole.append(RequestMessage("user", tuple(_unanswered(call) for call in open_calls.values())))
    return tuple(whole)


def _unanswered(call: ToolCall) -> ToolResult:
    return ToolResult(call.id, call.name, NO_RESULT, is_error=True)


# What a vendor takes when it has refused the history as it stands ---------------------------------


def without_thinking(messages: Iterable[RequestMessage]) -> tuple[RequestMessage, ...]:
    """The same conversation with no thought of any model in it: all of them may be dropped, never some."""
    return _each(messages, lambda part: None if is_thinking(part) else part)


def plain(messages: Iterable[RequestMessage]) -> tuple[RequestMessage, ...]:
    """The same conversation in words, calls and results alone: nothing in it that only one vendor made."""
    return _each(messages, _plain)


def is_thinking(part: Part | Media) -> bool:
    """Is this a thought, open or sealed?"""
    if isinstance(part, Opaque):
        return any("thinking" in str(block.get("type", "")) for block in part.luggage.values())
    return isinstance(part, Thinking)


def _each(
    messages: Iterable[RequestMessage], change: Callable[[Part | Media], Part | Media | None]
) -> tuple[RequestMessage, ...]:
    changed = [
        replace(message, parts=tuple(part for part in map(change, message.parts) if part is not None))
        for message in messages
    ]
    return tuple(message for message in changed if message.parts)


def _plain(part: Part | Media) -> Part | Media | None:
    match part:
        case Text():
            return Text(part.text)
        case ToolCall():
            return ToolCall(part.id, part.name, part.arguments)
        case Media():
            return Text(named(part.file))
        case File():
            return Text(named(part))
        case FileText():
            return framed(part)
        case ToolResult():
            return part
        case _:
            return None


def open_calls(rows: Sequence[Row]) -> list[ToolCall]:
    """The calls of the last assistant row that have no result yet."""
    calls: dict[str, ToolCall] = {}
    for row in rows:
        if row.role == "assistant":
            calls = {part.id: part for part in row.parts if isinstance(part, ToolCall)}
        for part in row.parts:
            if isinstance(part, ToolResult):
                calls.pop(part.call_id, None)
    return list(calls.values())


def is_cut_short(rows: Sequence[Row]) -> bool:
    """Does the last thing the model said go on in the next step, in mid-sentence?"""
    said = [row for row in rows if row.role == "assistant"]
    return bool(said) and said[-1].reason in (Reason.LENGTH, Reason.PAUSE)


def prompt_of(
    rows: Sequence[Row], *head: str, reads: Container[str] = ()
) -> tuple[int, datetime | None, int]:
    """How large the next prompt is: tokens the vendor has counted, when it did, and at most so many new ones.

    `head` is what stands before the rows: the system prompt and the tools. `reads` are the media types
    the model is shown as they are, at tokens of their own.
    """
    for place in range(len(rows) - 1, -1, -1):
        usage = rows[place].usage
        if usage and not usage.get("estimated"):
            counted = sum(usage[name] for name in COUNTED)
            new = rows[place + 1 :]
            return counted, rows[place].said_at, tokens_at_most(*words_of(new)) + looks_of(new, reads)
    return 0, None, tokens_at_most(*head, *words_of(rows)) + looks_of(rows, reads)


def looks_of(rows: Iterable[Row], reads: Container[str]) -> int:
    """At most so many tokens for the pictures and pages among the rows that this model looks at."""
    files = (part for row in rows for part in row.parts if isinstance(part, File))
    return sum(file.tokens for file in files if file.looks in reads)


def tokens_at_most(*texts: str) -> int:
    """A generous count of tokens, for a hold: the vendor's own count is what is charged."""
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) // BYTES_PER_TOKEN + 1


def words_of(messages: Iterable[RequestMessage | Row]) -> Iterable[str]:
    """Everything in the messages that costs tokens, as text."""
    for message in messages:
        yield text_of(message.parts)
        for part in message.parts:
            match part:
                case ToolCall():
                    yield str(part.arguments)
                case ToolResult():
                    yield part.text
                case Media():
                    yield str(part.file)
                case FileText():
                    yield framed(part).text
                case _ if not isinstance(part, Text):
                    yield str(part)
