"""`<details>` with its `<summary>`, on lines of their own as models write them, or everything on one line.

One that is never closed is no block: an answer that only mentions the tag must not fold away what follows it.
"""

from __future__ import annotations

import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock

DETAILS_OPEN: Final = "details_open"
DETAILS_CLOSE: Final = "details_close"
SUMMARY: Final = "summary"
SUMMARY_OPEN: Final = "summary_open"
SUMMARY_CLOSE: Final = "summary_close"

_OPEN: Final = re.compile(r"<details(?P<open>\s+open(?:=\"[^\"]*\")?)?\s*>", re.IGNORECASE)
_CLOSE: Final = re.compile(r"</details\s*>", re.IGNORECASE)
_EITHER: Final = re.compile(r"<(?P<slash>/?)details(?:\s[^<>]*)?>", re.IGNORECASE)
_SUMMARY: Final = re.compile(r"\s*<summary\s*>(?P<text>[^\n]*?)</summary\s*>", re.IGNORECASE)
_FENCE: Final = re.compile(r"(`{3,}|~{3,})")
_CODE: Final = re.compile(r"(`+)[^`\n]+\1")
_KNOWN: Final = "details_closings"


def details_plugin(parser: MarkdownIt) -> None:
    """Add the rule to a parser: `details_open` (meta: open), perhaps `summary_open`, blocks, `details_close`."""
    parser.block.ruler.before(
        "fence", "details", _details, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )


def _details(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    if state.is_code_block(start_line):
        return False
    first = _line(state, start_line)
    opened = _OPEN.match(first)
    if opened is None:
        return False
    last = _closing_line(state, start_line, end_line)
    if last is None:
        return False
    if silent:
        return True
    token = state.push(DETAILS_OPEN, "details", 1)
    token.block = True
    token.map = [start_line, last + 1]
    token.meta = {"open": bool(opened["open"])}
    if last == start_line:
        inside = first[opened.end() : [*_CLOSE.finditer(first)][-1].start()]
        _text(state, _summary(state, inside, start_line), start_line)
    else:
        _many_lines(state, start_line, last, first[opened.end() :])
    state.push(DETAILS_CLOSE, "details", -1).block = True
    state.line = last + 1
    return True


def _many_lines(state: StateBlock, start: int, last: int, rest: str) -> None:
    """The summary, from the first line or the next with words, and the blocks up to the closing line."""
    line = start + 1
    if not rest.strip():
        while line < last and state.isEmpty(line):
            line += 1
        if line < last and _SUMMARY.match(_line(state, line)):
            rest = _line(state, line)
            line += 1
    _text(state, _summary(state, rest, line - 1), line - 1)
    line_max, parent = state.lineMax, state.parentType
    state.lineMax, state.parentType = last, "blockquote"
    state.md.block.tokenize(state, line, last)
    state.lineMax, state.parentType = line_max, parent
    closing = _line(state, last)
    _text(state, closing[: [*_CLOSE.finditer(closing)][-1].start()], last)


def _summary(state: StateBlock, text: str, line: int) -> str:
    """Write the summary, if there is one; returns what stands behind it."""
    found = _SUMMARY.match(text)
    if found is None:
        return text
    if found["text"].strip():
        _leaf(state, SUMMARY, "summary", found["text"], line)
    return text[found.end() :]


def _text(state: StateBlock, text: str, line: int) -> None:
    """What stands on a line with a tag, as a paragraph."""
    if text.strip():
        _leaf(state, "paragraph", "p", text, line)


def _leaf(state: StateBlock, name: str, tag: str, text: str, line: int) -> None:
    state.push(f"{name}_open", tag, 1).map = [line, line + 1]
    inline = state.push("inline", "", 0)
    inline.map, inline.content, inline.children = [line, line + 1], text.strip(), []
    state.push(f"{name}_close", tag, -1)


def _closing_line(state: StateBlock, start: int, end: int) -> int | None:
    """The line that ends with the tag which closes what the first one opened."""
    known: dict[str, dict[int, int]] = state.env.setdefault(_KNOWN, {})
    if state.src not in known:
        known[state.src], _ = folds(state.src)
    last = known[state.src].get(start)
    if last is None or last >= end:
        return None
    leaves = (
        not state.isEmpty(line) and state.sCount[line] < state.blkIndent for line in range(start, last + 1)
    )
    return None if any(leaves) else last


def folds(source: str) -> tuple[dict[int, int], list[int]]:
    """For the first tag of each line that opens: the line whose end closes it; and the lines of those left open.

    Tags in code are words.
    """
    closings: dict[int, int] = {}
    opened: list[int | None] = []  # the lines of the tags that are open; None: not the first of its line
    fence = ""
    for number, line in enumerate(source.split("\n")):
        text = line.lstrip(" \t>")
        marks = _FENCE.match(text)
        if marks and (not fence or (text.startswith(fence) and not text.strip(fence[0] + " \t"))):
            fence = "" if fence else marks[1]
        if fence or "<" not in text:
            continue
        text = _CODE.sub(lambda code: " " * len(code[0]), text).rstrip()
        for tag in _EITHER.finditer(text):
            if not tag["slash"]:
                opened.append(None if opened and opened[-1] == number else number)
            elif opened and (start := opened.pop()) is not None and tag.end() == len(text):
                closings[start] = number
    return closings, [number for number in opened if number is not None]


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
