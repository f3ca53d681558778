"""Files as native content: the bytes of what a model can read, gathered outside any transaction."""

from collections.abc import Sequence
from dataclasses import replace

from conversations.contracts import Files, Media, Model, Request, RequestMessage, ToolFailed
from conversations.parts import File, Part

MEDIA_BYTES_MAX = 20_000_000  # of one request; Anthropic takes 32 MB, and base64 makes four bytes of three


async def with_media(request: Request, model: Model, files: Files) -> Request:
    """The request with every file that the model reads beside its name.

    Decided from the front, so that a longer history begins with the bytes of a shorter one: what
    goes over the limit, or is gone from storage, stays a name.
    """
    left = MEDIA_BYTES_MAX
    messages: list[RequestMessage] = []
    for message in request.messages:
        parts, left = await _filled(message.parts, model, files, left)
        messages.append(replace(message, parts=parts))
    return replace(request, messages=tuple(messages))


async def _filled(
    parts: Sequence[Part | Media], model: Model, files: Files, left: int
) -> tuple[tuple[Part | Media, ...], int]:
    filled: list[Part | Media] = []
    for part in parts:
        if isinstance(part, File) and part.mime in model.reads and part.size <= left:
            try:
                _, content = await files.read(part.id)
            except (ToolFailed, FileNotFoundError):
                filled.append(part)
                continue
            left -= len(content)
            filled.append(Media(part, content))
        else:
            filled.append(part)
    return tuple(filled), left
