"""Readers for tools: foreign bytes as text for a model, each read in a process of its own (config.apart)."""

import json
from typing import Any, Literal

from config import apart
from conversations.contracts import ToolFailed


async def read(
    kind: Literal["files", "web_pages", "pdfs", "sounds"], content: bytes, **arguments: Any
) -> str:
    """What the reader of this kind says about these bytes. Raises ToolFailed in its words when it cannot read them."""
    answer = await apart.ask("tools.apart.child", content, kind=kind, arguments=arguments)
    try:
        said = json.loads(answer)
        words, failed = str(said["words"]), bool(said["failed"])
    except (ValueError, KeyError, TypeError) as error:  # ended by its limits
        raise ToolFailed("Reading it takes more time or memory than a file may. Go on without it.") from error
    if failed:
        raise ToolFailed(words)
    return words
