"""A table onto a page: aligned columns in a monospaced block, or a list when they would not fit a screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from markdown_it.token import Token

from telegram_bot.rendering.characters import width
from telegram_bot.rendering.inline import is_link, write_inline
from telegram_bot.rendering.page import PageBuilder

# Wider rows are wrapped by clients even on a tablet, and then nothing is aligned any more.
COLUMNS_MAX: Final = 60
_BORDER: Final = " │ "

Cell = Sequence[Token]


def write_table(page: PageBuilder, tokens: Sequence[Token], depth: int) -> None:
    """Write the tokens from table_open to table_close; depth is that of the borders between rows."""
    rows = cells_of(tokens)
    texts = [[_plain(cell) for cell in row] for row in rows]
    columns = range(len(rows[0]))
    widths = [max(width(row[column]) for row in texts) for column in columns]
    fits = sum(widths) + len(_BORDER) * (len(widths) - 1) <= COLUMNS_MAX
    if (fits and not any(_has_link(cell) for row in rows for cell in row)) or len(rows) == 1:
        aligns: list[str] = tokens[0].meta["aligns"]
        page.code(_aligned(texts, widths, aligns), "pre")
    else:
        _write_list(page, rows, depth)


def aligned(tokens: Sequence[Token]) -> str:
    """The table as monospaced lines, however wide; where a link leads stands behind its text."""
    texts = [[_plain(cell) + "".join(_addresses(cell)) for cell in row] for row in cells_of(tokens)]
    widths = [max(width(row[column]) for row in texts) for column in range(len(texts[0]))]
    return _aligned(texts, widths, tokens[0].meta["aligns"])


def cells_of(tokens: Sequence[Token]) -> list[list[Cell]]:
    """The inline tokens of every cell, row by row."""
    rows: list[list[Cell]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(token.children or ())
    return rows


def _plain(cell: Cell) -> str:
    page = PageBuilder("")
    write_inline(page, cell)
    return " ".join(page.finish().text.split())


def _has_link(cell: Cell) -> bool:
    return any(_addresses(cell))


def _addresses(cell: Cell) -> Iterator[str]:
    """The addresses that stand behind words of the cell, each in brackets."""
    for token in cell:
        url = str(token.attrGet("href" if token.type == "link_open" else "src"))
        if token.type in {"link_open", "image"} and token.info != "auto" and is_link(url):
            yield f" ({url})"


def _aligned(texts: list[list[str]], widths: list[int], aligns: list[str]) -> str:
    lines = [
        _BORDER.join(_pad(*cell) for cell in zip(row, widths, aligns, strict=True)).rstrip() for row in texts
    ]
    lines.insert(1, "─┼─".join("─" * columns for columns in widths))
    return "\n".join(lines)


def _pad(text: str, columns: int, align: str) -> str:
    missing = columns - width(text)
    before = {"left": 0, "right": missing, "center": missing // 2}[align]
    return " " * before + text + " " * (missing - before)


def _write_list(page: PageBuilder, rows: list[list[Cell]], depth: int) -> None:
    """Each row as a bold first cell and lines of "title: value"."""
    titles = [_plain(cell) for cell in rows[0]]
    for number, row in enumerate(rows[1:]):
        if number:
            page.write("\n\n" if len(titles) > 1 else "\n")
            page.border(depth)
        written = False
        for column, (title, cell) in enumerate(zip(titles, row, strict=True)):
            if not _plain(cell):
                continue
            page.write(("\n" if written else "") + (f"{title}: " if title else ""))
            if column == 0:
                page.open("bold")
            write_inline(page, cell)
            if column == 0:
                page.close("bold")
            written = True
