"""Text, tables, JSON and archives, with the standard library alone."""

import csv
import io
import itertools
import json
import zipfile
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from tools.apart.child import Unreadable

CELL_MAX = 200  # characters of one cell that are shown
COLUMNS_MAX = 30
SHEETS_MAX = 5
UNPACKED_MAX = 100_000_000  # bytes of one member of an archive that are read
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read(content: bytes, *, name: str, mime: str, max_rows: int, max_chars: int) -> str:
    """The beginning of a file, as text that a model reads: at most so many rows and characters."""
    name = name.lower()
    if zipfile.is_zipfile(io.BytesIO(content)):
        if name.endswith((".xlsx", ".xlsm")) or "spreadsheetml" in mime:
            return _cut(_workbook(content, max_rows), max_chars)
        return _cut(_archive(content, max_rows), max_chars)
    text = _text(content)
    if name.endswith((".csv", ".tsv")) or mime in ("text/csv", "text/tab-separated-values"):
        return _cut(_table(text, max_rows), max_chars)
    if name.endswith(".json") or mime == "application/json":
        return _cut(_json(text), max_chars)
    return _cut(f"{len(text):,} characters, {text.count(chr(10)) + 1:,} lines\n\n{text}", max_chars)


def _text(content: bytes) -> str:
    for encoding in ("utf-8-sig", "utf-16") if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return _plain(content.decode(encoding))
        except UnicodeDecodeError:
            continue
    return _plain(content.decode("cp1251", errors="replace"))


def _plain(text: str) -> str:
    """Text that is one; raises Unreadable for bytes that only happen to decode."""
    if sum(text[:4096].count(chr(code)) for code in (0, 1, 2, 3, 4, 5, 6, 14, 15)) > 2:
        raise Unreadable("It is no text, table or archive that can be previewed; deliver it as it is.")
    return text


def _table(text: str, max_rows: int) -> str:
    lines = text.splitlines()
    try:
        dialect: Any = csv.Sniffer().sniff(text[:4096], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    rows = list(itertools.islice(csv.reader(io.StringIO(text, newline=""), dialect), max_rows))
    return f"A table of about {len(lines):,} lines; the first {len(rows)} rows:\n\n{_rows(rows)}"


def _json(text: str) -> str:
    value = json.loads(text)
    match value:
        case dict():
            about = f"An object with {len(value):,} keys: {', '.join(list(value)[:COLUMNS_MAX])}"
        case list():
            about = f"A list of {len(value):,} items"
        case _:
            about = f"One {type(value).__name__}"
    return f"{about}\n\n{json.dumps(value, ensure_ascii=False, indent=1)}"


def _archive(content: bytes, max_rows: int) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
    shown = [
        f"{member.file_size:>12,}  {member.filename[:CELL_MAX]!r}"
        for member in itertools.islice(members, max_rows)
    ]
    total = sum(member.file_size for member in members)
    return f"An archive of {len(members):,} entries, {total:,} bytes unpacked:\n" + "\n".join(shown)


def _workbook(content: bytes, max_rows: int) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        book = ElementTree.fromstring(_member(archive, "xl/workbook.xml"))  # noqa: S314 - expat's limits and ours
        names = [sheet.get("name", "?") for sheet in book.iter(f"{SHEET}sheet")]
        words = _words(archive)
        parts = []
        for number, name in enumerate(names[:SHEETS_MAX], start=1):
            rows = itertools.islice(_cells(archive, f"xl/worksheets/sheet{number}.xml", words), max_rows)
            parts.append(f"Sheet {name!r}, the first rows:\n\n{_rows(list(rows))}")
    return f"A workbook of {len(names)} sheets: {', '.join(names)}\n\n" + "\n\n".join(parts)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as member:
        content = member.read(UNPACKED_MAX + 1)
    if len(content) > UNPACKED_MAX:
        raise Unreadable("It unpacks to more than can be read.")
    return content


def _words(archive: zipfile.ZipFile) -> list[str]:
    """The workbook's shared strings."""
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    table = ElementTree.fromstring(_member(archive, "xl/sharedStrings.xml"))  # noqa: S314
    return ["".join(text.text or "" for text in item.iter(f"{SHEET}t")) for item in table]


def _cells(archive: zipfile.ZipFile, name: str, words: list[str]) -> Iterator[list[str]]:
    with archive.open(name) as sheet:
        for _, row in ElementTree.iterparse(sheet):  # noqa: S314
            if row.tag == f"{SHEET}row":
                yield [_cell(cell, words) for cell in row]
                row.clear()


def _cell(cell: ElementTree.Element, words: list[str]) -> str:
    value = cell.findtext(f"{SHEET}v") or ""
    if cell.get("t") == "s":
        return words[int(value)]
    return "".join(text.text or "" for text in cell.iter(f"{SHEET}t")) or value


def _rows(rows: list[list[str]]) -> str:
    return "\n".join(
        " | ".join(" ".join(cell.split())[:CELL_MAX] for cell in row[:COLUMNS_MAX])
        + (f" | … {len(row) - COLUMNS_MAX} more columns" if len(row) > COLUMNS_MAX else "")
        for row in rows
    )


def _cut(text: str, max_chars: int) -> str:
    if len(text) <= max_chars:
        return text
    return f"{text[:max_chars]}\n(cut: {len(text) - max_chars:,} more characters)"
