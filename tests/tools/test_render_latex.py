"""render_latex: formulas that come out, sentences for those that do not, and bombs that hurt nobody."""

import asyncio
import contextlib
import itertools
import json
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import uvloop

from conversations.contracts import ToolFailed
from tests.tools.test_base import CONTEXT
from tools.catalog import _formula, _latex, tools
from tools.catalog.render_latex import LATEX_MAX, bare

ROOT = Path(__file__).resolve().parents[2]
PNG = b"\x89PNG\r\n\x1a\n"
# Telegram's rules for a photo.
SIDES_MAX, RATIO_MAX = 10_000, 20

FORMULAS = {
    "fraction and root": r"x = \frac{-b \pm \sqrt{b^2-4ac}}{2a}",
    "sum": r"\sum_{n=1}^{\infty} \frac{1}{n^2} = \frac{\pi^2}{6}",
    "derivation": r"\begin{aligned} a &= b + c \\ &= \int_0^\infty e^{-x^2}\,dx \end{aligned}",
    "numbered": r"\begin{align} a &= b \label{eq:a} \\ c &= d \nonumber \end{align}",
    "gathered": r"\begin{gather*} a = b \\ c = d + e \end{gather*}",
    "eqnarray": r"\begin{eqnarray} a &=& b \\ c &=& d \end{eqnarray}",
    "alignat": r"\begin{alignat}{2} a &= b &\quad c &= d \end{alignat}",
    "cases": r"f(x) = \begin{cases} x^2 & \text{if $x < 0$ \& not > 50\%} \\ \sqrt{x} & \text{else} \end{cases}",
    "matrices": r"\begin{pmatrix} a & b \\ c & d \end{pmatrix} \begin{bmatrix} 1 \\ 2 \end{bmatrix}",
    "augmented": r"\left[\begin{array}{cc|c} 1 & 2 & 3 \\ 4 & 5 & 6 \end{array}\right]",
    "truth table": r"\begin{array}{|c|c|} \hline A & \lnot A \\ \hline 0 & 1 \\ 1 & 0 \\ \hline \end{array}",
    "Russian": r"\text{скорость} = \frac{\text{путь}}{\text{время}}",
    "boxed": r"\boxed{E = mc^2}",
    "underbrace": r"\underbrace{a+b+\cdots+z}_{26}",
    "operators": r"\operatorname*{arg\,max}_{x} f(x), \operatorname{sgn} x, \lim_{x \to 0} \frac{\sin x}{x}",
    "tagged": r"e^{i\pi} + 1 = 0 \tag{1}",
    "colors": r"\color{red}{x} + \textcolor{#00aa00}{y}",
    "macro": r"\newcommand{\R}{\mathbb{R}} x \in \R^n",
    "comparison": "a<b>c",
    "money": r"50\% \text{ of } \$100",
    "one letter": "x",
    "a long line": " + ".join(f"x_{{{number}}}" for number in range(30)),
}

WRAPPED = {
    "dollar": "$a=b$",
    "dollars": "$$a=b$$",
    "brackets": r"\[ a=b \]",
    "parentheses": r"\(a=b\)",
    "equation": "\\begin{equation*}\na=b\n\\end{equation*}",
    "fence": "```latex\n$$a=b$$\n```",
    "document": "\\documentclass[12pt]{article}\n\\usepackage{amsmath}\n\\begin{document}\n"
    "\\[a=b\\]\n\\end{document}\n",
    "preamble": r"\usepackage{amsmath} a=b",
}

WRONG = {
    r"\foo{x}": r"the command \foo is not supported",
    r"\ce{H2O}": r"the command \ce is not supported",
    r"\begin{tikzpicture}\end{tikzpicture}": "the environment tikzpicture is not supported",
    r"\frac{a}{b": "braces { } of the formula do not pair up",
    "x}{": "braces { } of the formula do not pair up",
    r"\left( x": r"every \left needs its \right",
    "x^": "followed by nothing",
    "x^2^3": "two superscripts",
    r"\begin{cases} x": r"lacks its \end",
    "a & b": "an & or < stands where it cannot",
    r"\color{beige-ish}{x}": "the color beige-ish is not known",
    "速度 = 😀": "the font has no",
    "let $x$ be $y$": "one formula without $",
    "a\0b": "NUL",
    "$$ $$": "empty",
    r"x\hspace{1000em}y": "pixels",
}

S12 = [
    r"\input{/etc/passwd}",
    r"\input{../../../../etc/passwd}",
    "^^5cinput{/etc/passwd}",
    r"\InputIfFileExists{/etc/passwd}{yes}{no}",
    r"\lstinputlisting{/etc/passwd}",
    r"\newread\f\openin\f=/etc/passwd\read\f to\x \text{\x}",
    r"\immediate\write18{touch CANARY}",
    r"\csname input\endcsname{/etc/passwd}",
    r"\includegraphics{/etc/passwd}",
    r"\newwrite\f\immediate\openout\f=CANARY \immediate\write\f{x}\immediate\closeout\f x",
    r"\special{psfile=`touch CANARY} x",
    r"\input{|touch CANARY}",
    r"\openin15=|id \read15 to\x \text{\x}",
    r"\href{file:///etc/passwd}{x}",
    r"\style{background:url(file:///etc/passwd)}{y}",
    r'\text{<image href="/etc/passwd" width="9" height="9"/>}',
    '<svg><image href="file:///etc/passwd"/></svg>',
    "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>&a;",
    r"\color{url(file:///etc/passwd)}{x}",
    r"\verb|\input{/etc/passwd}|",
    r"\unicode{x110000}",
]

BOMBS = {
    "a macro in itself": r"\def\x{\x\x}\x",
    "macros that multiply": r"\def\a{{xxxxxxxxxx}}"
    + "".join(
        rf"\def\{b}{{{{\{a}}}{{\{a}}}{{\{a}}}{{\{a}}}{{\{a}}}{{\{a}}}}}"
        for a, b in itertools.pairwise("abcdef")
    )
    + r"{\f}{\f}{\f}{\f}",
    "arguments that multiply": r"\newcommand{\a}[1]{{#1}{#1}{#1}{#1}}" + r"\a{" * 12 + "x" + "}" * 12,
    "a loop": r"\loop\iftrue\repeat",
    "braces": "{" * 3999 + "x" + "}" * 3999,
    "fractions": r"\frac{1}{" * 400 + "x" + "}" * 400,
    "powers": "x^{" * 300 + "x" + "}" * 300,
    "brackets that grow": r"\left(" * 200 + "x" + r"\right)" * 200,
    "tables in tables": r"\begin{matrix}" * 60 + "x" + r"\end{matrix}" * 60,
    "a table": r"\begin{matrix}" + r"x\\" * 2000 + r"\end{matrix}",
    "letters": "x" * LATEX_MAX,
    "a rule": r"\rule{100000em}{100000em}",
    "a gap": r"x\hspace{99999999999999999999em}y",
    "a font": r"\font\x=cmr10 at 16000pt \text{\x A}",
    "pages": r"\newcount\n\loop\newpage x\advance\n1\ifnum\n<1000000\repeat",
    "subscripts": "_" * LATEX_MAX,
}


async def picture(latex: str, **arguments: object) -> bytes:
    output = await tools()["render_latex"].run(CONTEXT, latex=latex, **arguments)
    (file,) = output.files
    assert (file.name, file.mime) == ("formula.png", "image/png")
    assert file.name in output.text
    return file.content


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(PNG)
    width, height = struct.unpack(">II", png[16:24])
    return width, height


# Formulas ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMULAS)
async def test_a_formula_becomes_a_picture_that_telegram_takes_as_a_photo(name: str) -> None:
    width, height = size(await picture(FORMULAS[name]))
    assert width + height <= SIDES_MAX
    assert max(width / height, height / width) < RATIO_MAX


async def test_more_dots_per_inch_make_a_larger_picture() -> None:
    low, high = size(await picture("x^2", dpi=150)), size(await picture("x^2", dpi=300))
    assert abs(high[0] - 2 * low[0]) <= 2
    assert abs(high[1] - 2 * low[1]) <= 2


@pytest.mark.parametrize("name", WRAPPED)
async def test_what_stands_around_a_formula_is_taken_off(name: str) -> None:
    assert bare(WRAPPED[name]) == "a=b"


@pytest.mark.parametrize("latex", WRONG)
async def test_a_formula_that_cannot_be_drawn_says_why(latex: str) -> None:
    if _latex.is_installed():
        pytest.skip("the LaTeX of this machine draws more, and complains in its own words")
    with pytest.raises(ToolFailed) as failed:
        await picture(latex)
    assert WRONG[latex] in str(failed.value)


@pytest.mark.parametrize("arguments", [{"latex": ""}, {"latex": "x" * 8001}, {"latex": "x", "dpi": 1200}, {}])
async def test_arguments_beyond_their_limits_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ToolFailed, match="arguments are wrong"):
        await tools()["render_latex"].run(CONTEXT, **arguments)


def test_it_works_on_the_bots_own_event_loop() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(picture("x")).startswith(PNG)


async def test_many_formulas_at_once_all_arrive() -> None:
    pictures = await asyncio.gather(*(picture(f"x_{{{number}}}") for number in range(40)))
    assert len(set(pictures)) == 40


async def test_a_drawing_server_that_died_is_started_anew() -> None:
    await picture("x")
    server = _formula._server()
    server.process.kill()
    server.process.wait()
    assert size(await picture("x"))
    assert _formula._server().process.pid != server.process.pid


async def test_the_drawing_server_ends_with_its_bot() -> None:
    script = (
        "import asyncio, os; from tools.catalog import _formula;"
        "asyncio.run(_formula.draw('x', 150)); print(_formula._server().process.pid, flush=True);"
        "os.kill(os.getpid(), 9)"
    )
    bot = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT, check=False)
    server = Path("/proc", bot.stdout.decode().strip())
    deadline = time.monotonic() + 10
    while server.exists() and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert not server.exists()


# Bombs and break-ins -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a macro in itself", "macros that multiply", "braces", "a rule", "a loop"])
async def test_a_bomb_costs_one_child_and_its_sender_a_sentence(name: str) -> None:
    with pytest.raises(ToolFailed, match=r"Make it|not drawn"):
        await _formula.draw(BOMBS[name], 200)
    assert size(await picture("x"))


async def test_a_bomb_does_not_keep_others_waiting() -> None:
    bomb = asyncio.ensure_future(picture(BOMBS["tables in tables"]))
    await asyncio.sleep(0)
    for _ in range(3):
        assert size(await picture("x"))
    assert not bomb.done()
    with pytest.raises(ToolFailed, match="time or memory"):
        await bomb


def watch(folder: Path, bombs: list[str]) -> dict[str, Any]:
    """What a drawing server did with hostile inputs: its system calls, and what it used."""
    inputs = [latex.replace("CANARY", str(folder / "canary")) for latex in [*S12, *bombs]]
    done = subprocess.run(
        [sys.executable, "-m", "tests.tools.watched_server", str(folder)],
        input=json.dumps(inputs),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
    )
    watched = json.loads(done.stdout) | {"canary": (folder / "canary").exists()}
    print(
        f"\n{watched['inputs']} hostile formulas: at most {watched['memory_mb']:.0f} MB and "
        f"{watched['slowest']:.1f} s; after confinement files, sockets and processes: {watched['calls']}"
    )
    return watched


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    quick = ("a macro in itself", "arguments that multiply", "braces", "subscripts", "a rule", "a font")
    return watch(tmp_path_factory.mktemp("watched"), [BOMBS[name] for name in quick])


def test_hostile_formulas_stay_within_their_time_and_memory(watched: dict[str, Any]) -> None:
    assert watched["memory_mb"] <= 256
    assert watched["cpu_seconds"] <= 5 * watched["inputs"]


@pytest.mark.soak
def test_every_bomb_stays_within_its_time_and_memory(tmp_path: Path) -> None:
    watched = watch(tmp_path, list(BOMBS.values()))
    assert watched["memory_mb"] <= 256
    assert watched["cpu_seconds"] <= 5 * watched["inputs"]
    assert not watched["calls"]


def test_hostile_formulas_open_no_file_and_start_no_process(watched: dict[str, Any]) -> None:
    if watched["calls"] is None:
        pytest.skip("strace is not installed")
    assert watched["confined"] == watched["inputs"]  # every child was seen taking its limits on
    assert watched["calls"] == []
    assert not watched["canary"]


def test_a_confined_child_can_open_nothing_at_all() -> None:
    script = f"""
import runpy, socket
module = runpy.run_path({str(_formula.SERVER)!r})
module["confine"]()
for attempt in (lambda: open("/etc/passwd"), lambda: open("/tmp/x", "w"), socket.socket):
    try:
        attempt()
    except OSError as error:
        print(error.errno)
"""
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.split() == ["24"] * 3  # EMFILE


def test_the_server_starts_with_an_empty_environment() -> None:
    asyncio.run(picture("x"))
    environment = Path(f"/proc/{_formula._server().process.pid}/environ").read_bytes()
    assert environment == b""


# The LaTeX of the machine ------------------------------------------------------------------------

with_latex = pytest.mark.skipif(not _latex.is_installed(), reason="latex and dvipng are not installed")


@with_latex
@pytest.mark.parametrize("name", [name for name in FORMULAS if name not in {"Russian", "colors"}])
async def test_latex_draws_a_formula_that_telegram_takes_as_a_photo(name: str) -> None:
    width, height = size(await _latex.draw(bare(FORMULAS[name]), 200))
    assert width + height <= SIDES_MAX
    assert max(width / height, height / width) < RATIO_MAX


@with_latex
async def test_what_the_quick_renderer_refuses_goes_to_latex() -> None:
    latex = r"\begin{rcases} a \\ b \end{rcases}"
    with pytest.raises(_formula.Refused):
        await _formula.draw(latex, 200)
    assert size(await picture(latex))


@with_latex
@pytest.mark.parametrize("latex", S12)
async def test_latex_reads_no_file_and_starts_no_program(latex: str, tmp_path: Path) -> None:
    canary, before = tmp_path / "canary", set(Path(tempfile.gettempdir()).iterdir())
    with contextlib.suppress(ToolFailed):
        await _latex.draw(latex.replace("CANARY", str(canary)), 150)
    assert not canary.exists()
    left = set(Path(tempfile.gettempdir()).glob("formula-*")) - before
    assert not left


@with_latex
async def test_latex_cannot_see_a_secret_beside_it(tmp_path: Path) -> None:
    secret = tmp_path / "secret.tex"
    secret.write_text("x")
    with pytest.raises(ToolFailed, match="not found"):
        await _latex.draw(rf"\input{{{secret}}}", 150)


@with_latex
@pytest.mark.parametrize("name", BOMBS)
async def test_latex_survives_a_bomb(name: str) -> None:
    with contextlib.suppress(ToolFailed):
        await _latex.draw(BOMBS[name], 300)
    assert size(await _latex.draw("x", 150))
