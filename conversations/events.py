"""What happened and may be written down a moment later: the event, and the payload of each kind. Pure."""

import hashlib
import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypedDict
from uuid import NAMESPACE_OID, UUID, uuid5

from conversations.parts import ToolCall, ToolResult

TRIMMED_MAX = 4000  # characters of arguments and results kept in the history: enough to see what went wrong
ERROR_MAX = 255  # characters; the width of ToolCall.error
CALL_ID_MAX = 128  # characters; the width of ToolCall.call_id
NAME_MAX = 64  # characters; the width of ToolCall.name. A model may call a tool by any name it likes
# PostgreSQL stores neither; a tool's output may hold both.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")

Payload = Mapping[str, Any]


def uuid7() -> UUID:
    """A UUID that sorts by time (RFC 9562, version 7): neighbours in time are neighbours in the index."""
    milliseconds = time.time_ns() // 1_000_000
    random = secrets.randbits(74)
    number = milliseconds << 80 | 7 << 76 | (random >> 62) << 64 | 2 << 62 | random & (1 << 62) - 1
    return UUID(int=number)


class Malformed(ValueError):
    """What was queued is no event of ours."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. Its id is made before the first try to store it and never changes."""

    kind: str
    payload: Payload
    version: int = 1
    id: UUID = field(default_factory=uuid7)
    happened_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def encode(self) -> dict[str, str]:
        """The fields of a stream entry. The payload is ASCII JSON: NUL and half emoji travel as escapes."""
        return {
            "id": str(self.id),
            "kind": self.kind,
            "v": str(self.version),
            "ts": self.happened_at.isoformat(),
            "payload": json.dumps(self.payload, separators=(",", ":")),
        }

    @classmethod
    def decode(cls, fields: Mapping[bytes, bytes]) -> "Event":
        """The event that `encode` wrote. Raises Malformed on anything else."""
        try:
            payload = json.loads(fields[b"payload"])
            if not isinstance(payload, dict):
                raise Malformed("the payload is no object")
            return cls(
                kind=fields[b"kind"].decode(),
                payload=payload,
                version=int(fields[b"v"]),
                id=UUID(fields[b"id"].decode()),
                happened_at=datetime.fromisoformat(fields[b"ts"].decode()).astimezone(UTC),
            )
        except (KeyError, ValueError, OverflowError, RecursionError) as error:
            raise Malformed(f"{type(error).__name__}: {error}") from error


def malformed_id(entry: bytes) -> UUID:
    """The id of what has none: the same for the same stream entry, however often it is seen."""
    return uuid5(NAMESPACE_OID, f"starling:events:{entry.decode(errors='replace')}")


class ToolCallPayload(TypedDict):
    """Kind `tool_call`, version 1: one finished run of a tool, as tools.services writes it."""

    id: str  # of the row
    user_id: int
    thread_id: int | None
    turn_id: int | None
    call_id: str
    name: str
    arguments: str  # JSON text, trimmed
    result: str  # what the model was told, trimmed
    files: list[str]  # short ids
    status: str  # a value of ToolCall.Status
    seconds: float
    cost: str  # dollars, exact
    error: str
    started_at: str  # ISO 8601 with its offset


def call_uuid(turn_id: int, call_id: str) -> UUID:
    """The id of a call's row, the same whoever tells of the call and how often (RFC 9562, version 8).

    It begins with the turn: neighbours in time are neighbours in the index.
    """
    digest = int.from_bytes(hashlib.sha256(f"{turn_id}:{call_id}".encode()).digest()[:10])
    number = turn_id % (1 << 48) << 80 | 8 << 76 | (digest >> 68) << 64 | 2 << 62 | digest & (1 << 62) - 1
    return UUID(int=number)


def tool_call_event(
    *,
    user_id: int,
    thread_id: int,
    turn_id: int,
    call: ToolCall,
    result: ToolResult,
    status: str,
    seconds: float,
    cost: Decimal,
    ended_at: datetime | None = None,
) -> ToolCallPayload:
    """The payload for a call that ended just now, or then."""
    return ToolCallPayload(
        id=str(call_uuid(turn_id, call.id)),
        user_id=user_id,
        thread_id=thread_id,
        turn_id=turn_id,
        call_id=_trimmed(call.id, CALL_ID_MAX),
        name=_trimmed(call.name, NAME_MAX),
        arguments=_trimmed(json.dumps(call.arguments, ensure_ascii=False), TRIMMED_MAX),
        result=_trimmed(result.text, TRIMMED_MAX),
        files=[each.file.id for each in result.shown],
        status=status,
        seconds=seconds,
        cost=str(cost),
        error=_trimmed(result.text, ERROR_MAX) if result.is_error else "",
        started_at=((ended_at or datetime.now(UTC)) - timedelta(seconds=seconds)).isoformat(),
    )


def _trimmed(text: str, longest: int) -> str:
    text = UNSTORABLE.sub("\ufffd", text)
    return text if len(text) <= longest else text[: longest - 1] + "…"
