"""The door to the process that reads foreign bytes.

One process for one file: a bomb takes nobody along, and what the last file left behind is gone. It
costs about 100 ms of a core, while the person's burst is still waited for.
"""

import asyncio
import functools
import json
import sys
from pathlib import Path

import structlog

from conversations.reading.findings import Findings, loaded

log = structlog.get_logger(__name__)

ROOT = Path(__file__).resolve().parents[2]
START = "import sys; sys.path.insert(0, sys.argv[1]); from conversations.reading.child import main; sys.exit(main())"
SECONDS_MAX = 15.0  # on a clock; the process itself may use CPU_SECONDS of a core
SIDE_BY_SIDE_MAX = 2  # such processes at a time; each may take MEMORY_BYTES


async def read(content: bytes, *, name: str, declared: str) -> Findings:
    """What is in these bytes, found out in a process of its own. Never raises for what they hold."""
    if not content:
        return Findings(fault="empty")
    async with _room():
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-c", START, str(ROOT)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
            cwd="/",
        )
        question = json.dumps({"name": name, "declared": declared}).encode() + b"\n" + content
        try:
            async with asyncio.timeout(SECONDS_MAX):
                answer, _ = await process.communicate(question)
        except TimeoutError:
            answer = b""
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    try:
        return loaded(answer)
    except (ValueError, TypeError, KeyError):  # killed by its limits, or broken by them in mid-word
        log.info("file.too_much", size=len(content), returncode=process.returncode)
        return Findings(fault="too_much")


@functools.cache
def _rooms() -> dict[asyncio.AbstractEventLoop, asyncio.Semaphore]:
    return {}


def _room() -> asyncio.Semaphore:
    """This event loop's places for reading."""
    return _rooms().setdefault(asyncio.get_running_loop(), asyncio.Semaphore(SIDE_BY_SIDE_MAX))
