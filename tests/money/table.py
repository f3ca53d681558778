"""The table a run fills: figures, and what must be so of them."""

import json
import subprocess
import time
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

Figure = int | float | Decimal


@dataclass
class Table:
    """Rows in the order they were measured; `wrong` names those that are not as they must be."""

    rows: dict[str, Figure] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def add(self, what: str, figure: Figure, *, fine: bool = True) -> None:
        """A figure, printed as soon as it is known."""
        self.rows[what] = figure
        if not fine:
            self.wrong.append(what)
        print(f"{what:<72}{_written(figure):>12}{'' if fine else '   WRONG'}", flush=True)

    def zero(self, what: str, figure: Figure) -> None:
        """A figure that must be nothing."""
        self.add(what, figure, fine=figure == 0)

    def keep(self) -> Path:
        """One JSON per run, with the commit it measured."""
        git = ["git", "rev-parse", "--short", "HEAD"]
        commit = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
        path = ROOT / ".local" / "reports" / f"money-{time.strftime('%Y%m%d-%H%M%S')}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        report: dict[str, Any] = {"commit": commit, "wrong": self.wrong, "rows": self.rows}
        path.write_text(json.dumps(report, indent=1, default=str) + "\n")
        return path

    def markdown(self) -> str:
        """The same as a table for docs/measured.md."""
        lines = [f"| {what} | {_written(figure)} |" for what, figure in self.rows.items()]
        return "\n".join(["| figure | |", "| --- | ---: |", *lines])


def _written(figure: Figure) -> str:
    if isinstance(figure, Decimal):
        return f"{figure.normalize():f}".replace("-", "−")
    return f"{figure:,.3f}" if isinstance(figure, float) and figure < 100 else f"{figure:,.0f}"
