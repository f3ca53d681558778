"""The door to a process of its own, which the kernel holds to its limits: where foreign bytes are read.

One process for one file: what a bomb breaks ends with it, and what the last file left behind is gone. It has
no environment, and what it says is only data to us. Its other side is apart_child.py.
"""

import asyncio
import functools
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
START = "import sys; sys.path.insert(0, sys.argv[1]); from config.apart_child import main; main()"
SECONDS_MAX = 15.0  # on a clock; the process itself may use CPU_SECONDS of a core
SIDE_BY_SIDE_MAX = 2  # such processes at a time; each may take MEMORY_BYTES
ANSWER_MAX = 40_000_000  # bytes that are taken from it: 27 MB are a cut PDF of 20 in base64


async def ask(reader: str, content: bytes, **question: Any) -> bytes:
    """What the module `reader` answers about these bytes, apart; nothing when the limits ended it.

    It has a function `answer(content, **question) -> bytes`; the question is what JSON can say.
    """
    head = json.dumps({"reader": reader, **question}).encode() + b"\n"
    async with _room():
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-c", START, str(ROOT)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
            cwd="/",
        )
        try:
            async with asyncio.timeout(SECONDS_MAX):
                answer, _ = await process.communicate(head + content)
        except TimeoutError:
            return b""
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return answer if process.returncode == 0 and len(answer) <= ANSWER_MAX else b""


@functools.cache
def _rooms() -> dict[asyncio.AbstractEventLoop, asyncio.Semaphore]:
    return {}


def _room() -> asyncio.Semaphore:
    """This event loop's places for reading."""
    return _rooms().setdefault(asyncio.get_running_loop(), asyncio.Semaphore(SIDE_BY_SIDE_MAX))
