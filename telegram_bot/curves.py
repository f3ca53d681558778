"""Lines over days for the admin's front page, as the coordinates of a drawing. Pure.

The page draws them as SVG: no script, so the Content-Security-Policy stays as strict as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

WIDTH, HEIGHT = 600, 160  # of the drawing, in its own units; the page stretches it
LABELS = 5  # days named below
STEPS = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))  # what a scale ends in


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its name, the class that colours it, and a number for each day."""

    name: str
    tone: str
    values: Sequence[Decimal]


def drawing(
    title: str, days: Sequence[date], lines: Sequence[Line], write: Callable[[Decimal], str]
) -> dict[str, object]:
    """What templates/admin/curves.html draws; `write` says a number in words."""
    low, high = _scale(min(min(line.values) for line in lines), max(max(line.values) for line in lines))
    step = Decimal(WIDTH) / max(1, len(days) - 1)

    def x(place: int) -> Decimal:
        return round(place * step, 1)

    def y(value: Decimal) -> Decimal:
        return round(HEIGHT - (value - low) / (high - low) * HEIGHT, 1)

    marks = sorted({low, Decimal(0), high})
    every = max(1, (len(days) - 1) // (LABELS - 1))
    return {
        "title": title,
        "width": WIDTH,
        "height": HEIGHT,
        "lines": [
            {
                "name": line.name,
                "tone": line.tone,
                "points": " ".join(f"{x(n)},{y(value)}" for n, value in enumerate(line.values)),
            }
            for line in lines
        ],
        "marks": [
            {"y": str(y(mark)), "percent": f"{100 * y(mark) / HEIGHT:.1f}", "words": write(mark)}
            for mark in marks
        ],
        "days": [
            {
                "left": str(round(x(n) - step / 2, 1)),
                "wide": str(round(step, 1)),
                "name": f"{day:%b %-d}",
                "named": (len(days) - 1 - n) % every == 0,
                "words": [f"{line.name}: {write(line.values[n])}" for line in lines],
            }
            for n, day in enumerate(days)
        ],
    }


def shares(rows: Sequence[tuple[str, Decimal]], most: int) -> list[tuple[str, Decimal, str]]:
    """The first rows with the length of their bars in percent of the longest; the rest are one row."""
    shown = list(rows[:most])
    if rest := sum((value for _, value in rows[most:]), Decimal(0)):
        shown.append(("all others", rest))
    longest = max((value for _, value in shown), default=Decimal(0)) or Decimal(1)
    return [(name, value, f"{100 * value / longest:.1f}") for name, value in shown]


def _scale(low: Decimal, high: Decimal) -> tuple[Decimal, Decimal]:
    """The ends of a scale that holds nothing and both numbers: 1, 2 or 5 times a power of ten."""
    low, high = min(low, Decimal(0)), max(high, Decimal(0))
    reach = max(high, -low) or Decimal(1)
    unit = Decimal(1).scaleb(reach.adjusted())
    step = next(step for step in STEPS if step * unit >= reach) * unit / 2
    return (
        (low / step).to_integral_value(ROUND_FLOOR) * step,
        (high / step).to_integral_value(ROUND_CEILING) * step or 2 * step,
    )
