"""The other side of the border: limits first, then the bytes.

Whatever a parser does with hostile bytes ends with this process: its memory, its time and the files
it could write are bounded by the kernel, it has no environment to read secrets from, and what it
says is only data to the side that started it.
"""

import importlib
import json
import resource
import sys

from conversations.reading.findings import Findings, Unreadable
from conversations.reading.sniffing import media_type

MEMORY_BYTES = 768 * 1024 * 1024  # address space; a photo of 100 megapixels takes 400 MB
CPU_SECONDS = 8
DESCRIPTORS_MAX = 64  # the interpreter's own modules are read through these
READERS = {  # each has `read(mime, content) -> Findings`; only the one that is needed is loaded
    "image/": "conversations.reading.pictures",
    "application/pdf": "conversations.reading.pdfs",
    "application/vnd.openxmlformats-officedocument.": "conversations.reading.offices",
    "application/epub+zip": "conversations.reading.books",
    "application/rtf": "conversations.reading.books",
    "text/": "conversations.reading.texts",
}


def main() -> int:
    """Read one file from stdin, and write what it holds to stdout."""
    _take_limits()
    head = json.loads(sys.stdin.buffer.readline())
    content = sys.stdin.buffer.read()
    sys.stdout.buffer.write(findings(content, head["name"], head["declared"]).dumped())
    return 0


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


def _take_limits() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS_MAX, DESCRIPTORS_MAX))
    sys.setrecursionlimit(500)
