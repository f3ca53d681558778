"""The other side of the border: limits first, then the bytes.

Whatever a parser does with hostile bytes ends with this process: the kernel bounds its memory, its time
and the files it could write, it has no environment, and what it says is only data to who started it.
"""

import importlib
import json
import resource
import sys
import zipfile

MEMORY_BYTES = 512 * 1024 * 1024  # address space
CPU_SECONDS = 8
DESCRIPTORS_MAX = 64  # the interpreter's own modules are read through these


class Unreadable(Exception):
    """In words for the model."""


def main() -> None:
    """Read bytes from stdin as argv says, and write what they hold to stdout."""
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, DESCRIPTORS_MAX),
    ):
        resource.setrlimit(limit, (most, most))
    asked = json.loads(sys.argv[2])
    reader = importlib.import_module(f"tools.apart.{asked.pop('reader')}")  # only the one that is needed
    failed = False
    try:
        words = reader.read(sys.stdin.buffer.read(), **asked)
    except Unreadable as unreadable:
        words, failed = str(unreadable), True
    except (MemoryError, RecursionError):
        words, failed = "It is too large or too deeply nested to be read.", True
    except (ValueError, LookupError, OSError, EOFError, SyntaxError, NotImplementedError, zipfile.BadZipFile):
        words, failed = "It is damaged, or not what its name says: it cannot be read.", True
    sys.stdout.buffer.write(json.dumps({"words": words, "failed": failed}).encode())
