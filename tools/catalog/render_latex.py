"""render_latex: a formula as a picture."""

import re
from typing import Annotated

from django.utils.translation import gettext_lazy as _
from pydantic import Field

from conversations.contracts import NewFile, ToolContext, ToolFailed, ToolOutput
from tools.base import tool
from tools.catalog import _formula, _latex

LATEX_MAX = 8000  # characters; a dense page of formulas has 3,000

# What people and models put around a formula.
DELIMITERS = (
    (r"\[", r"\]"),
    (r"\(", r"\)"),
    ("$$", "$$"),
    ("$", "$"),
    *(
        (rf"\begin{{{name}}}", rf"\end{{{name}}}")
        for name in ("equation", "equation*", "displaymath", "math")
    ),
)
BODY = re.compile(r"\\begin\s*\{document\}(?P<body>.*?)(?:\\end\s*\{document\}|\Z)", re.DOTALL)
PREAMBLE = re.compile(r"\\(?:documentclass|usepackage)\s*(?:\[[^\]]*\])?\s*\{[^}]*\}|\\pagestyle\s*\{[^}]*\}")
# Displays of their own in terms of what stands inside one. A lone picture needs no equation numbers.
REWRITES = (
    (r"\\(begin|end)\s*\{(?:align|flalign)\*?\}", r"\\\1{aligned}"),
    (r"\\(begin|end)\s*\{alignat\*?\}", r"\\\1{alignedat}"),
    (r"\\(begin|end)\s*\{(?:gather|multline)\*?\}", r"\\\1{gathered}"),
    (r"\\begin\s*\{eqnarray\*?\}", r"\\begin{array}{rcl}"),
    (r"\\end\s*\{eqnarray\*?\}", r"\\end{array}"),
    (r"\\tag\s*\{([^}]*)\}", r"\\qquad\\text{(\1)}"),
    (r"\\label\s*\{[^}]*\}|\\(?:nonumber|notag)\b", ""),
)
WORDS = re.compile(r"\\(?:text\w*|[hfm]box)\s*\{[^}]*\}")
FENCE = re.compile(r"\A```(?:latex|tex|math)?\s*\n(?P<body>.*?)\n?```\Z", re.DOTALL)


@tool(label=_("Setting a formula"), icon="🧮", seconds_max=25)
async def render_latex(
    context: ToolContext,  # noqa: ARG001  (the same for every tool)
    latex: Annotated[
        str,
        Field(
            min_length=1,
            max_length=LATEX_MAX,
            description=r"One formula in LaTeX math mode, e.g. \frac{-b \pm \sqrt{b^2-4ac}}{2a}. "
            r"Several lines: \begin{aligned} … \\ … \end{aligned}. Words: \text{…}.",
        ),
    ],
    dpi: Annotated[int, Field(ge=150, le=300, description="Pixels per inch.")] = 200,
) -> ToolOutput:
    """Set a mathematical formula as a PNG picture and send it to the person.

    Use it for a formula that plain text shows badly: fractions, sums, integrals, matrices, cases,
    derivations. The person gets the picture at once; do not repeat the LaTeX in your answer.
    It is free.
    """
    formula = bare(latex)
    try:
        picture = await _formula.draw(formula, dpi)
    except _formula.Refused:
        if not _latex.is_installed():
            raise
        picture = await _latex.draw(formula, dpi)
    file = NewFile(name="formula.png", mime="image/png", content=picture)
    return ToolOutput(
        f"The formula was set as {file.name} ({dpi} dpi) and sent to the person.", files=(file,)
    )


def bare(latex: str) -> str:
    """The formula alone: out of its document, without its delimiters. Raises ToolFailed."""
    formula = latex.strip()
    for wrapping in (FENCE, BODY):
        if found := wrapping.search(formula):
            formula = found["body"].strip()
    formula = PREAMBLE.sub("", formula).strip()
    while (inner := _inside_delimiters(formula)) is not None:
        formula = inner
    for pattern, better in REWRITES:
        formula = re.sub(pattern, better, formula)
    if not formula:
        raise ToolFailed("The formula is empty. Give LaTeX of what is to be set.")
    if "\0" in formula:
        raise ToolFailed("The formula contains a NUL character. Give LaTeX text.")
    if re.search(r"(?<!\\)\$|\\[\[\]]", WORDS.sub("", formula)):
        raise ToolFailed(r"Give one formula without $ or \[ inside; write words with \text{…}.")
    if not _braces_close(formula):
        raise ToolFailed("The braces { } of the formula do not pair up. Correct them and call again.")
    return formula


def _inside_delimiters(formula: str) -> str | None:
    for opening, closing in DELIMITERS:
        if (
            len(formula) >= len(opening) + len(closing)
            and formula.startswith(opening)
            and formula.endswith(closing)
        ):
            return formula[len(opening) : -len(closing)].strip()
    return None


def _braces_close(formula: str) -> bool:
    depth = 0
    for brace in re.findall(r"\\.|[{}]", formula, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(brace, 0)
        if depth < 0:
            return False
    return depth == 0
