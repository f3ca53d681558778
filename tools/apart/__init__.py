"""Foreign bytes are read in a process of their own, which the kernel holds to its limits.

One process for one file: what a bomb breaks ends with it. It has no environment, and what it says is
only data to us.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Literal

from conversations.contracts import ToolFailed

ROOT = Path(__file__).resolve().parents[2]
START = "import sys; sys.path.insert(0, sys.argv[1]); from tools.apart.child import main; main()"
SECONDS_MAX = 12.0  # on a clock; the process itself may use 8 s of a core
ANSWER_MAX = 40_000_000  # bytes that are taken from it


async def read(
    reader: Literal["files", "web_pages", "pdfs", "sounds"], content: bytes, **arguments: Any
) -> str:
    """What the child says about these bytes. Raises ToolFailed in its words when it cannot read them."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", START, str(ROOT), json.dumps({"reader": reader, **arguments})),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        cwd="/",
    )
    try:
        async with asyncio.timeout(SECONDS_MAX):
            answer, _ = await process.communicate(content)
    except TimeoutError:
        answer = b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        said = json.loads(answer[:ANSWER_MAX])
        words, failed = str(said["words"]), bool(said["failed"])
    except (ValueError, KeyError, TypeError) as error:  # killed by its limits
        raise ToolFailed("Reading it takes more time or memory than a file may. Go on without it.") from error
    if failed:
        raise ToolFailed(words)
    return words
