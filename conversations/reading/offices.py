"""Words out of Word, Excel and PowerPoint files. How much is packed in them was looked at before."""

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator

import docx
import openpyxl
import pptx
from docx.document import Document
from docx.opc.exceptions import PackageNotFoundError
from docx.table import Table
from lxml import etree
from openpyxl.utils.exceptions import InvalidFileException
from pptx.exc import PythonPptxError

from conversations.reading.findings import TEXT_MAX, Findings, Unreadable, worded

DAMAGED = (
    *(KeyError, ValueError, TypeError, AttributeError, IndexError, OSError, EOFError, RuntimeError),
    *(etree.LxmlError, zipfile.BadZipFile, PackageNotFoundError, InvalidFileException, PythonPptxError),
)


def read(mime: str, content: bytes) -> Findings:
    """A document's words, a line a paragraph or row. Raises Unreadable."""
    lines = LINES[mime.rpartition(".")[0].rpartition(".")[2]]
    try:
        return worded(mime, "\n".join(_enough(lines(io.BytesIO(content)))))
    except DAMAGED:
        raise Unreadable("damaged") from None


def _enough(lines: Iterable[str]) -> Iterator[str]:
    """Lines until well past what a model is given: the rest would be cut anyway."""
    length = 0
    for line in lines:
        yield line
        length += len(line) + 1
        if length > 2 * TEXT_MAX:
            yield "[The rest was not read.]"
            return


def _word(file: io.BytesIO) -> Iterator[str]:
    document: Document = docx.Document(file)
    for block in document.iter_inner_content():
        if isinstance(block, Table):
            yield from _rows(block)
        else:
            level = block.style.name if block.style is not None else ""
            mark = "#" * int(level[-1]) + " " if level and level.startswith("Heading ") else ""
            yield mark + block.text


def _rows(table: Table) -> Iterator[str]:
    for row in table.rows:
        yield "| " + " | ".join(cell.text.replace("\n", " ") for cell in row.cells) + " |"


def _excel(file: io.BytesIO) -> Iterator[str]:
    book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    for sheet in book.worksheets:
        yield f"[Sheet {sheet.title}]"
        for row in sheet.iter_rows(values_only=True):
            cells = ["" if value is None else str(value) for value in row]
            if any(cells):
                yield "\t".join(cells).rstrip("\t")


def _powerpoint(file: io.BytesIO) -> Iterator[str]:
    for number, slide in enumerate(pptx.Presentation(file).slides, start=1):
        yield f"[Slide {number}]"
        for shape in slide.shapes:
            if shape.has_text_frame:
                yield shape.text_frame.text
            if shape.has_table:
                for row in shape.table.rows:
                    yield "| " + " | ".join(cell.text for cell in row.cells) + " |"
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            yield f"[Notes] {slide.notes_slide.notes_text_frame.text}"


LINES: dict[str, Callable[[io.BytesIO], Iterator[str]]] = {
    "wordprocessingml": _word,
    "spreadsheetml": _excel,
    "presentationml": _powerpoint,
}
