"""GFM tables that lose nothing: a pipe inside `code` is no border, cells beyond the header's are kept.

The stock rule cuts a row at every pipe and throws away the cells that are too many; models write both.
"""

from __future__ import annotations

import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock

_DELIMITER_ROW: Final = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_BACKTICKS: Final = re.compile(r"`+")
# Rows shorter than the header are filled up; this bounds what a short source can grow to.
_CELLS_ADDED_MAX: Final = 5_000


def table_plugin(parser: MarkdownIt) -> None:
    """Replace the parser's table rule."""
    parser.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})


def _table(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    if start_line + 2 > end_line or state.sCount[start_line + 1] < state.blkIndent:
        return False
    if state.is_code_block(start_line) or state.is_code_block(start_line + 1):
        return False
    header, delimiters = _line(state, start_line), _line(state, start_line + 1)
    if "|" not in header or not _DELIMITER_ROW.fullmatch(delimiters):
        return False
    aligns = [_align(cell.strip()) for cell in delimiters.strip("| \t").split("|")]
    titles = split_row(header)
    if len(titles) != len(aligns) or (len(aligns) == 1 and "|" not in delimiters):
        return False
    if silent:
        return True
    table = state.push("table_open", "table", 1)
    table.meta = {"aligns": aligns}
    _push_row(state, start_line, titles, "th")
    state.line = _push_body(state, start_line + 2, end_line, len(titles))
    table.map = [start_line, state.line]
    state.push("table_close", "table", -1)
    return True


def _push_body(state: StateBlock, line: int, end_line: int, columns: int) -> int:
    terminators = state.md.block.ruler.getRules("blockquote")
    added = 0
    while line < end_line and state.sCount[line] >= state.blkIndent and not state.is_code_block(line):
        text = _line(state, line)
        if not text or any(rule(state, line, end_line, True) for rule in terminators):
            break
        cells = split_row(text)
        added += max(0, columns - len(cells))
        if added > _CELLS_ADDED_MAX:
            break
        if len(cells) > columns:
            cells[columns - 1 :] = [" | ".join(cells[columns - 1 :])]
        cells += [""] * (columns - len(cells))
        _push_row(state, line, cells, "td")
        line += 1
    return line


def _push_row(state: StateBlock, line: int, cells: list[str], tag: str) -> None:
    state.push("tr_open", "tr", 1).map = [line, line + 1]
    for cell in cells:
        state.push(f"{tag}_open", tag, 1)
        token = state.push("inline", "", 0)
        token.map = [line, line + 1]
        token.content = cell
        token.children = []
        state.push(f"{tag}_close", tag, -1)
    state.push("tr_close", "tr", -1)


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].strip()


def _align(cell: str) -> str:
    if cell.endswith(":"):
        return "center" if cell.startswith(":") else "right"
    return "left"


def split_row(row: str) -> list[str]:
    r"""The cells of a row; `\|` is a pipe, and so is a pipe between matching backticks."""
    borders = []
    position = 0
    while position < len(row):
        character = row[position]
        if character == "\\":
            position += 2
        elif character == "`":
            position = _after_code(row, position)
        else:
            if character == "|":
                borders.append(position)
            position += 1
    starts = [0, *(border + 1 for border in borders)]
    cells = [row[start:end].strip() for start, end in zip(starts, [*borders, len(row)], strict=True)]
    if borders and not cells[0]:
        cells.pop(0)
    if borders and len(cells) > 1 and not cells[-1]:
        cells.pop()
    return [cell.replace("\\|", "|") for cell in cells]


def _after_code(row: str, position: int) -> int:
    """The end of the code span that opens here, or of its backticks when nothing closes them."""
    opened = _BACKTICKS.match(row, position)
    assert opened is not None
    for closed in _BACKTICKS.finditer(row, opened.end()):
        if len(closed[0]) == len(opened[0]):
            return closed.end()
    return opened.end()
