"""A process of its own that draws formulas: `python -I _formula_server.py`, its control socket on stdin.

Every request comes with a socket of its own. The server forks, and the child takes its limits on
before it looks at the request: little memory, little time, no new file descriptor (so no file and
no connection can be opened) and no process. A bomb kills one child and nobody else. Forking a
process that has its fonts loaded takes milliseconds; starting Python for each formula takes 300.

It imports nothing of ours, so it starts with an empty environment and knows no secret.
"""

import gc
import html
import itertools
import json
import os
import re
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import resvg_py
from latex2mathml import commands, exceptions
from latex2mathml.converter import Converter
from latex2mathml.walker import Node
from ziafont.fonttypes import BBox
from ziamath import tex
from ziamath.drawable import HLine, VLine
from ziamath.nodes.mtable import Mtable
from ziamath.zmath import Math, loadedfonts

CPU_SECONDS = 4  # a page of formulas takes 0.3
WALL_SECONDS = 8  # kept below the tool's own limit, so that a reason is given
MEMORY_BYTES = 256 * 1024 * 1024  # address space; a large formula takes 80 MB
CHILDREN_MAX = 4  # drawn side by side; the rest waits in the control socket
REQUEST_MAX = 64 * 1024  # bytes
POINTS = 12  # the size of a letter
POINTS_PER_INCH = 72
PADDING = 9.0  # points of white around the formula: it stands on dark chats too
SIDE_MAX = 5000  # pixels: Telegram's photos have a width and a height of 10,000 together
RATIO_MAX = 19.5  # Telegram refuses photos above 20
THIN_SPACE = "\u2009"
# What the converter does not know, in terms of what it does.
ENVIRONMENTS = {
    "aligned": "align*",
    "alignedat": "align*",
    "dcases": "cases",
    "gathered": "displaylines",
} | {name.removeprefix("\\"): name.removeprefix("\\") for name in commands.MATRICES}
# LaTeX's own and those of CSS that it shares a meaning with.
COLOR_NAMES = (
    "black white gray darkgray lightgray red green blue cyan magenta yellow brown lime olive orange pink purple "
    "teal violet navy maroon gold crimson indigo darkgreen darkblue darkred darkorange royalblue steelblue"
)
COLORS = frozenset(COLOR_NAMES.split())
ESCAPED = re.compile(r"\\([&%$#_])")  # what stands for itself in words
WARM_UP = (
    r"\sum_{n=1}^{\infty} \frac{\mathbf{x}}{n^2} \begin{array}{c|c} \hline 1 & 2 \end{array} \text{ word}"
)
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


# What the converter lets out when its input ends too early.
UNFINISHED = (StopIteration, RuntimeError, ValueError, KeyError, IndexError, TypeError, AttributeError)


class Refused(Exception):
    """The formula cannot be drawn, with the reason the model reads."""


def main() -> None:
    draw(WARM_UP, 150)  # fonts and code are loaded before the first fork
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
    try:
        markup = ElementTree.fromstring(tex.tex2mml(_prepared(latex)))  # noqa: S314  (there is no DTD in it)
    except tuple(FAULTS) as error:
        raise Refused(FAULTS[type(error)]) from error
    except ElementTree.ParseError as error:
        raise Refused("an & or < stands where it cannot") from error
    except UNFINISHED as error:
        raise Refused("it is not finished, or a command lacks its argument") from error
    if unknown := {letter for letter in "".join(markup.itertext()) if not _can_draw(letter)}:
        raise Refused(
            f"the font has no {' '.join(sorted(unknown))}; Latin, Greek, Cyrillic and mathematics it has"
        )
    for element in markup.iter():
        name = element.text or ""
        if element.tag.endswith(("mi", "mo")) and re.fullmatch(r"\\[A-Za-z]+", name):
            raise Refused(f"the command {name} is not supported")
        for place in ("mathcolor", "mathbackground"):
            if (color := element.get(place)) is not None:
                element.set(place, _color(color))
        if element.tag.endswith("mtable") and element.get("rowspacing") == "3pt":
            element.set("rowspacing", "0.7em")  # at 3pt the lines of a derivation touch
    return markup


def _color(name: str) -> str:
    if name.lower() not in COLORS and not re.fullmatch(r"#[0-9A-Fa-f]{6}", name):
        raise Refused(f"the color {name} is not known; #rrggbb and {COLOR_NAMES} are")
    return name.lower()


def _can_draw(letter: str) -> bool:
    return letter.isspace() or loadedfonts["default"].glyphindex(letter) != 0


def _prepared(latex: str) -> str:
    """What the converter gets wrong, said so that it gets it right."""
    own = re.findall(r"\\newenvironment\s*\{(\w+\*?)\}", latex)

    def environment(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in ENVIRONMENTS and name not in own:
            raise Refused(f"the environment {name} is not supported; aligned, cases, array and matrices are")
        return rf"\{found['which']}{{{ENVIRONMENTS.get(name, name)}}}"

    # It reads \operatorname only when its name is made of letters and spaces, and drops the spaces.
    def operator(found: re.Match[str]) -> str:
        return found["command"] + re.sub(r"\\[,:;! ]|~|\s", THIN_SPACE, found["words"]) + "}"

    # It writes the words of \text{…} into its XML as they stand, and knows no $ in them.
    def words(found: re.Match[str]) -> str:
        pieces = re.split(r"(?<!\\)\$", found["words"])
        for number in range(0, len(pieces), 2):
            plain = html.escape(ESCAPED.sub(r"\1", pieces[number]), quote=False)
            pieces[number] = f"{found['command']}{{{plain}}}" if plain else ""
        return "".join(pieces)

    latex = re.sub(r"\\not\s*=", r"\\neq ", latex)
    latex = re.sub(r"\\begin\s*\{alignedat\}\s*\{\d+\}", r"\\begin{alignedat}", latex)
    latex = re.sub(r"\\(?P<which>begin|end)\s*\{(?P<name>\w+\*?)\}", environment, latex)
    latex = re.sub(r"(?P<command>\\operatorname\*?\s*\{)(?P<words>[^{}]*)\}", operator, latex)
    return re.sub(r"(?P<command>\\(?:text\w*|[hfm]box|emph)\s*)\{(?P<words>[^}]*)\}", words, latex)


# The rules of an array. The converter counts them wrong and ziamath does not draw them, so the places
# of its | and \hline are carried to the table in two attributes of our own: "0 2" are the rules before
# the first and after the second column or row.


class _Converter(Converter):
    @staticmethod
    def _get_alignment_and_column_lines(alignment: str | None = None) -> tuple[str | None, str | None]:
        before = list(itertools.accumulate((letter != "|" for letter in alignment or ""), initial=0))
        rules = [str(place) for place, letter in zip(before, alignment or "", strict=False) if letter == "|"]
        return alignment and alignment.replace("|", ""), " ".join(rules) or None

    def _convert_matrix(
        self, nodes: Iterator[Node], parent: ElementTree.Element, command: str, alignment: str | None = None
    ) -> None:
        cells, rules, row = [], [], 0
        for node in nodes:
            if node.token == commands.HLINE:
                rules.append(str(row))
                continue
            row += node.token in (commands.DOUBLEBACKSLASH, commands.CARRIAGERETURN)
            cells.append(node)
        if rules:
            parent.set("rules", " ".join(rules))
        super()._convert_matrix(iter(cells), parent, command, alignment)


class _RuledTable(Mtable, tag="mtable"):
    def _setup(self, **options: Any) -> None:
        columns = [int(place) for place in self.element.get("columnlines", "").split()]
        rows = [int(place) for place in self.element.get("rules", "").split()]
        if columns or rows:
            self.element.set("columnspacing", "0.8em")
            self.element.set("rowspacing", "0.5em")
        super()._setup(**options)
        if columns or rows:
            self._rule(columns, rows)

    def _rule(self, columns: list[int], rows: list[int]) -> None:
        """Draw lines between the cells that stand, and at the edges."""
        em = self.size_px("1em")
        left, right, bottom, top = self.bbox.xmin, self.bbox.xmax + 0.8 * em, self.bbox.ymin, self.bbox.ymax
        bottom, top = bottom - 0.25 * em, top + 0.25 * em
        lengths = [len(row) for row in self.element]
        grid = iter(zip(self.nodes, self.nodexy, strict=True))
        cells = [list(itertools.islice(grid, length)) for length in lengths]
        widths = [
            max(row[column][0].bbox.xmax for row in cells if column < len(row))
            for column in range(max(lengths))
        ]
        # Between two columns the rule stands in the middle of their 0.8 em; the table moves 0.4 em right.
        inset = (self.bbox.xmax - sum(widths) - 0.8 * em * (len(widths) - 1)) / 2  # beside a bracket
        verticals = list(itertools.accumulate((width + 0.8 * em for width in widths), initial=left + inset))
        horizontals = [-top]
        for above, below in itertools.pairwise(cells):
            lowest = max(y - node.bbox.ymin for node, (_, y) in above)
            highest = min(y - node.bbox.ymax for node, (_, y) in below)
            horizontals.append((lowest + highest) / 2)
        horizontals.append(-bottom)
        self.nodexy = [(x + 0.4 * em, y) for x, y in self.nodexy]
        thickness = self.units_to_points(self.font.math.consts.fractionRuleThickness)
        for place in columns:
            self.nodes.append(VLine(top - bottom, thickness, style=self.style))
            self.nodexy.append((verticals[min(place, len(verticals) - 1)], -top))
        for place in rows:
            self.nodes.append(HLine(verticals[-1] - verticals[0], thickness, style=self.style))
            self.nodexy.append((verticals[0], horizontals[min(place, len(horizontals) - 1)] - thickness / 2))
        self.bbox = BBox(left, right, bottom, top)


def _convert(latex: str, display: str = "block") -> str:
    return _Converter(display=display).convert(latex)


# The only way to hand ziamath a converter.
tex.convert = _convert  # type: ignore[attr-defined, assignment]


if __name__ == "__main__":
    main()
