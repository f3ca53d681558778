"""Formulas without a LaTeX system: ziamath and resvg, in a confined process that is kept warm.

Measured on two cores: 300 ms for a fresh Python with its fonts, 25 ms through the warm server.
"""

import asyncio
import functools
import json
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from conversations.contracts import ToolFailed

SERVER = Path(__file__).with_name("_formula_server.py")
SECONDS_MAX = 12  # the server's own limit of 8, a start and a short queue
OUT_OF_ORDER = "Formulas cannot be drawn at the moment. Write it as text."
TOO_MUCH = "The formula takes too much time or memory to draw. Make it shorter or simpler."


class Refused(ToolFailed):
    """Something in the formula is wrong, or beyond this renderer."""


async def draw(formula: str, dpi: int) -> bytes:
    """A PNG of the formula. Raises ToolFailed; Refused when another renderer may succeed."""
    ours, theirs = socket.socketpair()
    with theirs:
        _hand_over(theirs)
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        writer.write(json.dumps({"latex": formula, "dpi": dpi}).encode())
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), SECONDS_MAX)
    except (TimeoutError, ConnectionError):
        answer = b""  # killed by its limits
    finally:
        writer.close()
    if not answer:
        raise ToolFailed(TOO_MUCH if _server().process.poll() is None else OUT_OF_ORDER)
    if answer[:1] == b"-":
        raise Refused(f"The formula was not drawn: {answer[1:].decode()}. Correct it and call again.")
    return answer[1:]


@dataclass(frozen=True, slots=True)
class _Server:
    process: subprocess.Popen[bytes]
    control: socket.socket


@functools.cache
def _server() -> _Server:
    """The warm process. It ends when our end of its control socket closes, so with this process."""
    control, theirs = socket.socketpair()
    control.setblocking(False)
    with theirs:
        process = subprocess.Popen(  # noqa: S603  (our own file, no input on the command line)
            [sys.executable, "-I", str(SERVER)],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            env={},
            cwd="/",
        )
    return _Server(process, control)


def _hand_over(connection: socket.socket) -> None:
    """Give the server one end of a conversation; start it anew when it died."""
    for _ in range(2):
        server = _server()
        try:
            socket.send_fds(server.control, [b"\0"], [connection.fileno()])
        except BlockingIOError as error:
            raise ToolFailed("Too many formulas are being drawn. Try again in a few seconds.") from error
        except ConnectionError:
            stop()
        else:
            return
    raise ToolFailed(OUT_OF_ORDER)


def stop() -> None:
    """End the server, if one runs; the next formula starts another."""
    if _server.cache_info().currsize:
        server = _server()
        _server.cache_clear()
        server.control.close()
        server.process.kill()
        server.process.wait()
