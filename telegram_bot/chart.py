"""A picture of what each day cost: bars, in a light look that fits Telegram's bubbles. Pure."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import resvg_py
import ziafont
from django.template.loader import render_to_string
from django.utils import translation

# The font that comes with the formulas' library, so that a machine without fonts draws words too.
FONT = Path(ziafont.__file__).parent / "fonts" / "DejaVuSans.ttf"
FAMILY = "DejaVu Sans"
WIDTH, HEIGHT = 840, 420  # pixels of the drawing; sent at twice as many
LEFT, RIGHT, TOP, BOTTOM = 84, 24, 84, 52  # what stands around the bars
ZOOM = 2
GAP = 6  # between bars
LABELLED_EVERY = 7  # days
STEPS = (1, 2, 5, 10)  # what a scale ends in


def of_days(days: Sequence[tuple[date, Decimal]], language: str) -> bytes:
    """A PNG of dollars a day, oldest first."""
    with translation.override(language):
        svg = drawing(days)
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            background="#ffffff",
            zoom=ZOOM,
            skip_system_fonts=True,
            font_files=[str(FONT)],
            font_family=FAMILY,
            sans_serif_family=FAMILY,
        )
    )


def drawing(days: Sequence[tuple[date, Decimal]]) -> str:
    """The same as SVG, in the language that is spoken now."""
    top = scale_end(max(usd for _, usd in days))
    wide = Decimal(WIDTH - LEFT - RIGHT) / len(days)
    high = HEIGHT - TOP - BOTTOM
    bars = []
    for place, (day, usd) in enumerate(days):
        size = round(high * usd / top)
        if usd and size < 2:
            size = 2  # a day that cost something is seen
        x = round(LEFT + place * wide, 1)
        labelled = (len(days) - 1 - place) % LABELLED_EVERY == 0
        bars.append(
            {
                "x": str(x),
                "middle": str(round(x + (wide - GAP) / 2, 1)),
                "y": HEIGHT - BOTTOM - size,
                "height": size,
                "day": day if labelled else None,
            }
        )
    lines = [
        {"y": round(HEIGHT - BOTTOM - Decimal(high) * part / 2), "usd": top * part / 2} for part in range(3)
    ]
    context = {
        "width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "bottom": HEIGHT - BOTTOM,
        "bar_width": str(round(wide - GAP, 1)), "bars": bars, "lines": lines, "days": len(days),
        "total": sum((usd for _, usd in days), Decimal(0)),
    }  # fmt: skip
    return render_to_string("bot/days.svg", context)


def scale_end(most: Decimal) -> Decimal:
    """The least of 1, 2, 5 times a power of ten that is not below the highest bar."""
    if most <= 0:
        return Decimal(1)
    unit = Decimal(1).scaleb(most.adjusted())
    return next(step * unit for step in STEPS if step * unit >= most)
