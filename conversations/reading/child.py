"""What is in a file a person sent, on the other side of the border (config.apart_child)."""

import importlib

from conversations.reading.findings import Findings, Unreadable
from conversations.reading.sniffing import media_type

READERS = {  # each has `read(mime, content) -> Findings`; only the one that is needed is loaded
    "image/": "conversations.reading.pictures",
    "application/pdf": "conversations.reading.pdfs",
    "application/vnd.openxmlformats-officedocument.": "conversations.reading.offices",
    "application/epub+zip": "conversations.reading.books",
    "application/rtf": "conversations.reading.books",
    "text/": "conversations.reading.texts",
}


def answer(content: bytes, name: str, declared: str) -> bytes:
    """What is in these bytes, as the border lets it through."""
    return findings(content, name, declared).dumped()


def findings(content: bytes, name: str, declared: str) -> Findings:
    """What is in these bytes: their kind by what they are, then their words or their looks."""
    try:
        mime = media_type(content, name, declared)
        reader = next((module for start, module in READERS.items() if mime.startswith(start)), None)
        if reader is None:
            return Findings(mime)
        found: Findings = importlib.import_module(reader).read(mime, content)
    except Unreadable as unreadable:
        return Findings(fault=unreadable.fault)
    except (MemoryError, RecursionError):
        return Findings(fault="too_much")
    return found
