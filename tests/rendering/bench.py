"""How long rendering takes: `python -m tests.rendering.bench`. Prints; what is fast enough is for a person to say."""

from __future__ import annotations

import time
from collections.abc import Callable

from telegram_bot.rendering import plain, preview, render, split
from tests.rendering.corpus import documents

SIZES = (4_096, 30_000, 300_000)
FRAMES = 100
NASTY = {
    "brackets": "[" * 10_000,
    "bracket pairs": "[" * 5_000 + "]" * 5_000,
    "quotes": ">" * 10_000,
    "quotes apart": "> " * 5_000,
    "stars": "*" * 10_000,
    "stars apart": "*a " * 5_000,
    "underscores": "_a" * 5_000,
    "images": "![" * 5_000,
    "links": "[a](" * 3_000,
    "backticks": "".join("`" * (n % 50) + " " for n in range(500)),
    "dollars": "$a " * 5_000,
    "formulas": "\\(" * 5_000,
    "formula pairs": "$" + "{" * 5_000 + "$",
    "fractions": "$" + "\\frac" * 3_000 + "$",
    "bullets": "- " * 5_000,
    "numbers": "1. " * 3_000,
    "less-than": "<" * 10_000,
    "pipes": "|" * 10_000,
    "cells": "|a" * 2_000 + "|\n" + "|-" * 2_000 + "|\n" + "|b|\n" * 30,
    "rows": "|a|b|\n|-|-|\n" + "|c|d|\n" * 3_000,
    "backslashes": "\\" * 10_000,
    "ampersands": "&amp" * 3_000,
    "definitions": "[a]: b\n" * 2_000,
    "indents": "".join(" " * n + "- a\n" for n in range(300)),
    "fences": "```\n" * 3_000,
    "headings": "# a\n" * 3_000,
    "accents": "a" + "\u0301" * 10_000,
    "joiners": "👨\u200d" * 5_000,
    "line ends": "\n" * 10_000,
    "blanks": " " * 10_000 + "a",
}


def milliseconds(work: Callable[[str], object], source: str) -> float:
    """The processor time one call takes: what others do on the machine does not count."""
    start = time.process_time()
    work(source)
    return (time.process_time() - start) * 1000


def main() -> None:
    """Print a line per measurement."""
    mixed = documents()["mixed-long"]
    for size in SIZES:
        source = (mixed * (size // len(mixed) + 1))[:size]
        for function in (render, split, plain):
            print(f"{function.__name__:8} {size:>7} characters {milliseconds(function, source):8.1f} ms")
    answer = (mixed * 2)[:8_000]
    preview(answer)
    drafts = [milliseconds(preview, answer[: len(answer) * step // FRAMES]) for step in range(1, FRAMES + 1)]
    print(
        f"preview  {FRAMES} frames up to 8000 characters: {sum(drafts) / FRAMES:.1f} ms each, worst {max(drafts):.1f}"
    )
    for name, source in NASTY.items():
        times = [milliseconds(function, source) for function in (split, preview, plain)]
        print(
            f"{name:14} {len(source):>6} characters: split, preview, plain "
            + " ".join(f"{t:7.1f}" for t in times)
        )


if __name__ == "__main__":
    main()
