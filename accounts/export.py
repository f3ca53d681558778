"""Rows as CSV, for a spreadsheet that must not take what people typed for a formula."""

import csv
from collections.abc import Iterable, Iterator, Sequence

from django.http import HttpRequest, StreamingHttpResponse

from accounts.downloads import streamed
from accounts.spreadsheets import cell


class Line:
    """What csv writes to: it hands each line back."""

    def write(self, line: str) -> str:
        return line


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
