"""`manage.py docs`: write the generated parts of docs/ again, or check that they are as the code says."""

import difflib
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation

from config.reference import PARTS

BEGIN, END = "<!-- generated: {} -->", "<!-- end: {} -->"
DIFF_LINES_MAX = 60  # enough to see what changed; the command itself writes the rest


class Command(BaseCommand):
    help = "Write the generated parts of docs/ again; with --check only say whether they are up to date."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail when a part is stale")
        parser.add_argument("--folder", type=Path, default=settings.BASE_DIR / "docs")

    def handle(self, *, check: bool, folder: Path, **_options: Any) -> None:
        stale = []
        for page, name, write in PARTS:
            path = folder / page
            before = path.read_text() if path.exists() else ""
            with translation.override("en"):
                after = with_part(before, name, write(), path)
            if after != before:
                stale.append(_difference(path, before, after))
                if not check:
                    path.write_text(after)
                    self.stdout.write(f"Wrote {path}")
        if check and stale:
            raise CommandError(
                "docs/ does not say what the code says: run `make docs`.\n\n" + "\n".join(stale)
            )


def with_part(text: str, name: str, part: str, path: Path) -> str:
    """The page with this part between its marks. Raises CommandError where the marks are missing."""
    begin, end = BEGIN.format(name), END.format(name)
    head, found_begin, rest = text.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found_begin and found_end):
        raise CommandError(f"{path} needs the two lines {begin} and {end}, for what is generated.")
    return f"{head}{begin}\n\n{part}\n\n{end}{tail}"


def _difference(path: Path, before: str, after: str) -> str:
    lines = list(
        difflib.unified_diff(
            before.splitlines(),
            after.splitlines(),
            f"{path.name} as it is",
            f"{path.name} as it should be",
            lineterm="",
        )
    )
    cut = [f"… and {len(lines) - DIFF_LINES_MAX} more lines"] if len(lines) > DIFF_LINES_MAX else []
    return "\n".join([*lines[:DIFF_LINES_MAX], *cut, ""])
