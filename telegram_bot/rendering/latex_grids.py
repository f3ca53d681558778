"""Matrices and cases, drawn with characters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from telegram_bot.rendering.characters import width
from telegram_bot.rendering.latex_symbols import FENCES

_GAP: Final = "  "
_NO_FENCES: Final = ("", "")


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of cells; the environment says what surrounds them, an empty one that they are lines of text."""

    environment: str
    rows: list[list[str]]

    def lines(self) -> list[str]:
        """The grid on as many lines as it has rows."""
        columns = max(len(row) for row in self.rows)
        rows = [[*row, *[""] * (columns - len(row))] for row in self.rows]
        widths = [max(width(row[column]) for row in rows) for column in range(columns)]
        filled = [[_filled(cell, wide) for cell, wide in zip(row, widths, strict=True)] for row in rows]
        if not self.environment and columns > 1:
            # An alignment: what stands left of the sign ends at it.
            return [" ".join([row[0].strip().rjust(widths[0]), *row[1:]]) for row in filled]
        lines = [_GAP.join(row) for row in filled]
        left, right = FENCES.get(self.environment, _NO_FENCES)
        return [
            _GAP[1:].join((_edge(left, index, len(lines)), line, _edge(right, index, len(lines)))).strip()
            for index, line in enumerate(lines)
        ]


def _filled(cell: str, columns: int) -> str:
    return cell + " " * (columns - width(cell))


def linear(grid: Grid) -> str:
    """The grid on one line: (a b; c d)."""
    text = "; ".join(" ".join(cell for cell in row if cell) for row in grid.rows)
    if not grid.environment:
        return text
    left, right = FENCES[grid.environment]
    return f"{left[:1]}{text}{right[:1]}".strip()


def beside(blocks: list[list[str]]) -> list[str]:
    """Blocks of lines side by side, each centred on the middle line."""
    height = max(len(block) for block in blocks)
    lines = [""] * height
    for block in blocks:
        above = (height - len(block)) // 2
        columns = max(width(line) for line in block)
        for index in range(height):
            inside = above <= index < above + len(block)
            line = block[index - above] if inside else ""
            lines[index] += line + " " * (columns - width(line))
    return [line.rstrip() for line in lines]


def _edge(fence: str, index: int, height: int) -> str:
    """The piece of a fence that stands on one of its lines."""
    if len(fence) < 4:
        return fence
    if height == 1:
        return fence[0]
    if index in (0, height - 1):
        return fence[1] if index == 0 else fence[3]
    return fence[2]
