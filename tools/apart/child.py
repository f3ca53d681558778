"""The readers, on the other side of the border (config.apart_child): words, or why there are none."""

import importlib
import json
import zipfile
from typing import Any


class Unreadable(Exception):
    """In words for the model."""


def answer(content: bytes, kind: str, arguments: dict[str, Any]) -> bytes:
    """What the reader of this kind says, as the border lets it through."""
    reader = importlib.import_module(f"tools.apart.{kind}")  # only the one that is needed
    failed = False
    try:
        words = reader.read(content, **arguments)
    except Unreadable as unreadable:
        words, failed = str(unreadable), True
    except (MemoryError, RecursionError):
        words, failed = "It is too large or too deeply nested to be read.", True
    except (ValueError, LookupError, OSError, EOFError, SyntaxError, NotImplementedError, zipfile.BadZipFile):
        words, failed = "It is damaged, or not what its name says: it cannot be read.", True
    return json.dumps({"words": words, "failed": failed}).encode()
