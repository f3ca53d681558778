"""The other side of the border: limits first, then the bytes.

Whatever a parser does with hostile bytes ends with this process: its memory, its time and the files it could
write are bounded by the kernel, and it has no environment to read secrets from.
"""

import importlib
import json
import resource
import sys

MEMORY_BYTES = 768 * 1024 * 1024  # address space; a photo of 100 megapixels takes 400 MB
CPU_SECONDS = 8
DESCRIPTORS_MAX = 64  # the interpreter's own modules are read through these
DEPTH_MAX = 500  # calls inside calls: what nests deeper is a bomb


def main() -> None:
    """Read a question and a file from stdin, and write what its reader answers to stdout."""
    take_limits()
    question = json.loads(sys.stdin.buffer.readline())
    content = sys.stdin.buffer.read()
    reader = importlib.import_module(question.pop("reader"))  # only the one that is needed
    sys.stdout.buffer.write(reader.answer(content, **question))


def take_limits() -> None:
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, DESCRIPTORS_MAX),
    ):
        resource.setrlimit(limit, (most, most))
    sys.setrecursionlimit(DEPTH_MAX)
