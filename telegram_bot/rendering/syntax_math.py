r"""Math in Markdown: `$…$`, `$$…$$`, `\(…\)`, `\[…\]` and `\begin{align}…\end{align}`.

Rules of our own and not mdit-py-plugins': to its dollar rule the last character of a paragraph stands
before the first (`$x$ is 5` is no math), and its bracket rules know no quotes and take quadratic time
over unclosed brackets.
"""

from __future__ import annotations

import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

MATH_INLINE: Final = "math_inline"
MATH_BLOCK: Final = "math_block"

_CLOSERS: Final = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
_ENVIRONMENT: Final = re.compile(
    r"\\begin\{((?:equation|multline|gather|align|alignat|flalign|eqnarray|cases|split|aligned|gathered|array"
    r"|[pbBvV]?matrix)\*?)\}"
)
# "$5 a month, or 50 US$": prices with words between them, and no sign of TeX.
_PRICES: Final = re.compile(r"[\d.,]+[^\\^_={}<>+*/|]*\s[^\\^_={}<>+*/|]*")
_TEX: Final = re.compile(r"[\\^_={}<>+*/|-]|^[A-Za-z]$")
_UNMISTAKABLE: Final = re.compile(r"[\\^_]|^[A-Za-z]$")
_UNCLOSED: Final = "math_unclosed"


def math_plugin(parser: MarkdownIt) -> None:
    """Add the rules to a parser; tokens are `math_inline` and `math_block` with the TeX as content."""
    parser.inline.ruler.before("escape", MATH_INLINE, _inline)
    parser.block.ruler.before(
        "fence", MATH_BLOCK, _block, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )


def _inline(state: StateInline, silent: bool) -> bool:
    opener = state.src[state.pos : state.pos + 2]
    if opener in _CLOSERS:
        found = _delimited(state, opener)
    elif opener.startswith("$"):
        found = _dollars(state)
    else:
        return False
    if found is None:
        return False
    content, end = found
    if not silent:
        token = state.push(MATH_INLINE, "math", 0)
        token.content = content
        token.markup = opener if opener in _CLOSERS else "$"
    state.pos = end
    return True


def _delimited(state: StateInline, opener: str) -> tuple[str, int] | None:
    start = state.pos + 2
    # Without this note a paragraph of ten thousand openers is searched to its end ten thousand times.
    unclosed: dict[tuple[str, int, str], int] = state.env.setdefault(_UNCLOSED, {})
    key = (opener, state.posMax, state.src)
    if start >= unclosed.get(key, start + 1):
        return None
    end = state.src.find(_CLOSERS[opener], start, state.posMax)
    if end < 0:
        unclosed[key] = start
        return None
    content = state.src[start:end].strip()
    # `\\[1\\]` is a footnote with its brackets escaped, `\\[a\\](url)` an escaped link.
    if not content or (opener == "\\[" and not _TEX.search(content)) or state.src.startswith("(", end + 2):
        return None
    return content, end + 2


def _dollars(state: StateInline) -> tuple[str, int] | None:
    """`$…$` by Pandoc's rule: no blank inside the dollars, no digit or letter touching them outside."""
    text, start = state.src, state.pos + 1
    if start >= state.posMax or text[start].isspace() or (state.pos and text[state.pos - 1].isalnum()):
        return None
    end = start
    while (end := text.find("$", end, state.posMax)) >= 0:
        if text[end - 1] != "\\":
            break
        end += 1
    content = text[start:end]
    if end <= start or content[-1].isspace() or "\n\n" in content:
        return None
    following = text[end + 1 : end + 2]
    if following.isdigit() or (following.isalpha() and not _UNMISTAKABLE.search(content)):
        return None
    if _PRICES.fullmatch(content):
        return None
    return content, end + 1


def _block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    if state.is_code_block(start_line):
        return False
    first = state.src[state.bMarks[start_line] + state.tShift[start_line] : state.eMarks[start_line]]
    if first.startswith(("$$", "\\[")):
        closer, skipped = _CLOSERS[first[:2]], 2
    elif (environment := _ENVIRONMENT.match(first)) is not None:
        closer, skipped = f"\\end{{{environment[1]}}}", 0
    else:
        return False
    last = _closing_line(state, start_line, end_line, closer, skipped)
    if last is None:
        return False
    if silent:
        return True
    content = state.getLines(start_line, last + 1, state.sCount[start_line], False).strip()
    token = state.push(MATH_BLOCK, "math", 0)
    token.block = True
    token.content = content[skipped : len(content) - len(closer)].strip() if skipped else content
    token.markup = closer
    token.map = [start_line, last + 1]
    state.line = last + 1
    return True


def _closing_line(state: StateBlock, start: int, end: int, closer: str, skipped: int) -> int | None:
    """The line that ends with the closer; if it goes on after it the formula is part of a paragraph."""
    for line in range(start, end):
        if line > start and (state.isEmpty(line) or state.sCount[line] < state.blkIndent):
            return None
        text = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
        at = text.find(closer, skipped if line == start else 0)
        if at >= 0:
            return line if not text[at + len(closer) :].strip() else None
    return None
