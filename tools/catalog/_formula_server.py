"""A process of its own that draws formulas: `python -I _formula_server.py`, its control socket on stdin.

Every request comes with a socket of its own. The server forks, and the child takes its limits on
before it looks at the request: little memory, little time, no new file descriptor (so no file and
no connection can be opened) and no process. A bomb kills one child and nobody else. Forking a
process that has its fonts loaded takes milliseconds; starting Python for each formula takes 300.

It imports nothing of ours, so it starts with an empty environment and knows no secret.
"""

import gc
import json
import os
import re
import resource
import signal
import socket
import sys
from xml.etree import ElementTree

import resvg_py
from latex2mathml import commands, exceptions
from ziamath.tex import tex2mml
from ziamath.zmath import Math

CPU_SECONDS = 3  # a page of formulas takes 0.3
WALL_SECONDS = 6  # kept below the tool's own limit, so that a reason is given
MEMORY_BYTES = 256 * 1024 * 1024  # address space; a large formula takes 80 MB
CHILDREN_MAX = 4  # drawn side by side; the rest waits in the control socket
REQUEST_MAX = 64 * 1024  # bytes
POINTS = 12  # the size of a letter
POINTS_PER_INCH = 72
PADDING = 9.0  # points of white around the formula: it stands on dark chats too
SIDE_MAX = 5000  # pixels: Telegram's photos have a width and a height of 10,000 together
RATIO_MAX = 19.5  # Telegram refuses photos above 20
THIN_SPACE = "\u2009"
ENVIRONMENTS = {name.removeprefix("\\") for name in commands.MATRICES} | {
    "aligned",
    "gather",
    "gather*",
    "gathered",
    "dcases",
}
NODES_MAX = 20_000  # of the finished drawing; a full page has 3,000

FAULTS: dict[type[Exception], str] = {
    exceptions.NumeratorNotFoundError: "a fraction has nothing above its line",
    exceptions.DenominatorNotFoundError: "a fraction has nothing below its line",
    exceptions.ExtraLeftOrMissingRightError: r"every \left needs its \right",
    exceptions.MissingSuperScriptOrSubscriptError: "a ^ or _ is followed by nothing",
    exceptions.DoubleSubscriptsError: "there are two subscripts in a row; group them with {}",
    exceptions.DoubleSuperscriptsError: "there are two superscripts in a row; group them with {}",
    exceptions.NoAvailableTokensError: "a command lacks its argument",
    exceptions.MissingEndError: r"a \begin{…} lacks its \end{…}",
    exceptions.InvalidAlignmentError: "the columns of an array may be l, c, r and |",
    RecursionError: "it is nested too deeply, or a macro calls itself",
}


class Refused(Exception):
    """The formula cannot be drawn, with the reason the model reads."""


def main() -> None:
    draw(
        r"\sum_{n=1}^{\infty} \frac{\mathbf{x}}{n^2} \text{ word}", 150
    )  # loads fonts and code before the first fork
    gc.freeze()  # so that children share these pages
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # what a dying child prints helps nobody
    control = socket.socket(fileno=sys.stdin.fileno())
    children: set[int] = set()
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        except ConnectionError:
            return
        if not message:  # the bot is gone
            return
        connection = descriptors[0]
        child = os.fork()
        if child == 0:
            control.close()
            answer(socket.socket(fileno=connection))
            os._exit(0)
        os.close(connection)
        children.add(child)
        reap(children)


def reap(children: set[int]) -> None:
    """Bury the dead, and wait for one of the living when there are too many."""
    while children:
        options = 0 if len(children) >= CHILDREN_MAX else os.WNOHANG
        child, _ = os.waitpid(-1, options)
        if child == 0:
            return
        children.discard(child)


def answer(connection: socket.socket) -> None:
    """Read one request, `{"latex", "dpi"}`, and write "+" and a PNG, or "-" and the reason."""
    confine()
    with connection, connection.makefile("rwb") as stream:
        try:
            request = json.loads(stream.read(REQUEST_MAX))
            body = b"+" + draw(request["latex"], request["dpi"])
        except Refused as refusal:
            body = b"-" + str(refusal).encode()
        except (MemoryError, RecursionError):
            body = b"-it is nested too deeply or too large"
        stream.write(body)


def confine() -> None:
    """Give up, for good, what drawing does not need."""
    signal.alarm(WALL_SECONDS)
    for limit, value in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def draw(latex: str, dpi: int) -> bytes:
    """A formula as PNG, black on white. Raises Refused."""
    svg, width, height = picture(mathml(latex))
    # Room around it, and more where the strip would be too thin for a photo.
    outer_width = max(width + 2 * PADDING, (height + 2 * PADDING) / RATIO_MAX)
    outer_height = max(height + 2 * PADDING, outer_width / RATIO_MAX)
    zoom = dpi / POINTS_PER_INCH
    if max(outer_width, outer_height) * zoom > SIDE_MAX:
        raise Refused(
            f"it would be {outer_width * zoom:.0f} by {outer_height * zoom:.0f} pixels, over {SIDE_MAX}; "
            r"break it into lines with \begin{aligned} … \\ … \end{aligned}, or lower dpi"
        )
    left, top = (outer_width - width) / 2, (outer_height - height) / 2
    x, y, _, _ = (float(edge) for edge in svg.attrib["viewBox"].split())
    svg.attrib["viewBox"] = f"{x - left} {y - top} {outer_width} {outer_height}"
    svg.attrib["width"], svg.attrib["height"] = str(outer_width), str(outer_height)
    drawn = ElementTree.tostring(svg, encoding="unicode")
    return bytes(
        resvg_py.svg_to_bytes(svg_string=drawn, background="white", zoom=zoom, skip_system_fonts=True)
    )


def picture(markup: ElementTree.Element) -> tuple[ElementTree.Element, float, float]:
    """The drawing of some MathML, with its width and height in points."""
    try:
        svg = Math(markup, size=POINTS).svgxml()
        _, _, width, height = (float(edge) for edge in svg.attrib["viewBox"].split())
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise Refused("this combination of commands cannot be drawn; write it more simply") from error
    if not (0 < width < float("inf") and 0 < height < float("inf")):
        raise Refused("a length in it is impossible")
    if sum(1 for _ in svg.iter()) > NODES_MAX:
        raise Refused("it is too long")
    return svg, width, height


def mathml(latex: str) -> ElementTree.Element:
    """LaTeX as MathML. Raises Refused, naming the command that is not known."""
    for environment in re.findall(r"\\begin\s*\{(\w+\*?)\}", latex):
        if environment not in ENVIRONMENTS and environment not in _new_names(latex):
            raise Refused(
                rf"the environment {environment} is not supported; aligned, cases, array and matrices are"
            )
    try:
        markup = ElementTree.fromstring(tex2mml(_prepared(latex)))  # noqa: S314  (a document has no DTD here)
    except tuple(FAULTS) as error:
        raise Refused(FAULTS[type(error)]) from error
    except ElementTree.ParseError as error:
        raise Refused("an & or < stands where it cannot") from error
    except (
        StopIteration,
        RuntimeError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
    ) as error:
        raise Refused("it is not finished, or a command lacks its argument") from error
    for element in markup.iter():
        name = element.text or ""
        if element.tag.endswith(("mi", "mo")) and re.fullmatch(r"\\[A-Za-z]+", name):
            raise Refused(f"the command {name} is not supported")
        if element.tag.endswith("mtable") and element.get("rowspacing") == "3pt":
            element.set("rowspacing", "0.7em")  # at 3pt the lines of a derivation touch
    return markup


def _new_names(latex: str) -> list[str]:
    return re.findall(r"\\newenvironment\s*\{(\w+\*?)\}", latex)


def _prepared(latex: str) -> str:
    """What the converter gets wrong, said so that it gets it right."""

    # It writes the words of \text{…} into its XML as they stand.
    def escape(found: re.Match[str]) -> str:
        words = found["words"].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return f"{found['command']}{{{words}}}"

    # It reads \operatorname only when its name is made of letters and spaces, and drops the spaces.
    def space(found: re.Match[str]) -> str:
        return found["command"] + re.sub(r"\\[,:;! ]|~|\s", THIN_SPACE, found["words"]) + "}"

    latex = re.sub(r"(?P<command>\\operatorname\*?\s*\{)(?P<words>[^{}]*)\}", space, latex)
    latex = re.sub(r"\\(begin|end)\s*\{gather(?:ed)?\*?\}", r"\\\1{displaylines}", latex)
    latex = re.sub(r"\\(begin|end)\s*\{dcases\}", r"\\\1{cases}", latex)
    return re.sub(r"(?P<command>\\(?:text\w*|[hfm]box|emph|tag\*?)\s*)\{(?P<words>[^}]*)\}", escape, latex)


if __name__ == "__main__":
    main()
