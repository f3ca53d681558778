"""Rows as CSV, for a spreadsheet that must not take what people typed for a formula."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from django.http import HttpRequest, StreamingHttpResponse

from accounts.downloads import streamed

# What spreadsheets begin a formula with; OWASP's list, tab and carriage return among them.
FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r")


class Line:
    """What csv writes to: it hands each line back."""

    def write(self, line: str) -> str:
        return line


def cell(value: object) -> str:
    """A value as text; words that would begin a formula get a quote before them, numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str):
        return format(value, "f") if hasattr(value, "as_tuple") else str(value)
    return f"'{value}" if value.startswith(FORMULA_BEGINS) else value


def as_csv(
    request: HttpRequest, name: str, headers: Sequence[str], rows: Iterable[Sequence[object]]
) -> StreamingHttpResponse:
    """A download that is written while it is read: its length costs no memory."""

    def lines() -> Iterator[str]:
        writer = csv.writer(Line())
        yield "\ufeff"  # so that spreadsheets read it as UTF-8
        yield writer.writerow(headers)
        for row in rows:
            yield writer.writerow([cell(value) for value in row])

    response = StreamingHttpResponse(streamed(request, lines()), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response
