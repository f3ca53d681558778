"""What a fault run measured: a table for whoever reads the log, and one JSON file with its commit and seed."""

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / ".local" / "reports"


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def table(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of the same keys as a Markdown table, numbers to the right."""
    heads = list(rows[0])
    lines = [heads, *([_cell(row[head]) for head in heads] for row in rows)]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(heads))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(["", "", title, "", *(_aligned(line, widths) for line in (lines[0], rule, *lines[1:]))])


def publish(
    capsys: pytest.CaptureFixture[str],
    name: str,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    seed: int = 0,
) -> None:
    """Print the table past pytest's capture and keep it as .local/reports/<name>-<time>.json."""
    with capsys.disabled():
        print(table(title, rows))
    git = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    REPORTS.mkdir(parents=True, exist_ok=True)
    record = {"name": name, "title": title, "commit": commit, "seed": seed, "rows": list(rows)}
    path = REPORTS / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def _cell(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.ljust(width) if number == 0 else cell.rjust(width)
        for number, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return f"| {' | '.join(cells)} |"
