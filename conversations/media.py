"""Files as native content: the bytes of what a model can read, gathered outside any transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from conversations.contracts import Media, Model, Request, RequestMessage, ToolFailed
from conversations.parts import File, FileText, Part, framed

MEDIA_BYTES_MAX = 20_000_000  # of one request; Anthropic takes 32 MB, and base64 makes four bytes of three
MEDIA_MAX = 100  # pictures and documents of one request: Anthropic's limit for pictures


class Looks(Protocol):
    """Where the bytes that models are shown come from."""

    async def look(self, file_id: str) -> bytes:
        """What a model is shown of a file. Raises ToolFailed or FileNotFoundError when it is gone."""
        ...


@dataclass(slots=True)
class _Room:
    """What still fits into one request."""

    bytes: int = MEDIA_BYTES_MAX
    files: int = MEDIA_MAX


async def with_media(request: Request, model: Model, files: Looks) -> Request:
    """The request with every file that the model reads as itself, and the words of those that it does not.

    Decided from the front, so that a longer history begins with the bytes of a shorter one: what
    goes over the limit, or is gone from storage, stays a name.
    """
    room = _Room()
    messages: list[RequestMessage] = []
    for message in request.messages:
        messages.append(replace(message, parts=await _filled(message.parts, model, files, room)))
    return replace(request, messages=tuple(messages))


async def _filled(
    parts: Sequence[Part | Media], model: Model, files: Looks, room: _Room
) -> tuple[Part | Media, ...]:
    filled: list[Part | Media] = []
    seen: set[str] = set()  # files of this message that the model looks at: it needs no words of theirs
    for part in parts:
        match part:
            case File() if part.looks in model.reads and (content := await _look(part, files, room)):
                seen.add(part.id)
                filled.append(Media(replace(part, mime=part.looks), content))
            case FileText():
                if (part.text or part.cut) and part.file_id not in seen:
                    filled.append(framed(part))
            case _:
                filled.append(part)
    return tuple(filled)


async def _look(file: File, files: Looks, room: _Room) -> bytes:
    """What the model is shown of a file; nothing when there is no room for it, or no file any more."""
    if not room.files:
        return b""
    try:
        content = await files.look(file.id)
    except (ToolFailed, FileNotFoundError):
        return b""
    if len(content) > room.bytes:
        return b""
    room.bytes -= len(content)
    room.files -= 1
    return content
