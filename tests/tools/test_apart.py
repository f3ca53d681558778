"""Foreign bytes read for tools: what they hold, and bombs that end with the process that reads them."""

import base64
import io
import resource
import time
import zipfile

import pytest
from pypdf import PdfReader

from conversations.contracts import ToolFailed
from tests.input import made
from tools import apart

SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
BOOK = (
    '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheets>'
    '<sheet name="Bomb" sheetId="1"/></sheets></workbook>'
)
MEGABYTE = 1_000_000
REFUSALS = ("Reading it takes", "unpacks to", "too large", "damaged")
SECONDS_MAX = 20  # the process may use 8 s of a core, and a machine that has more to do is slower


def packed(**files: bytes) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return body.getvalue()


def workbook(sheet: bytes, **more: bytes) -> bytes:
    return packed(**{"xl/workbook.xml": BOOK.encode(), "xl/worksheets/sheet1.xml": sheet, **more})


def swollen_strings() -> bytes:
    """110 MB of shared strings in a few kilobytes."""
    return workbook(SHEET.format("").encode(), **{"xl/sharedStrings.xml": b" " * 110 * MEGABYTE})


def many_objects() -> bytes:
    """Twenty megabytes of JSON that are 650 in memory."""
    return b"[" + b'{"":0},' * 2_800_000 + b"{}]"


def entities() -> bytes:
    """A billion laughs."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    text = f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>' + SHEET.format("<row><c><v>&l9;</v></c></row>")
    return workbook(text.encode())


def lying_zip() -> bytes:
    """An archive whose directory says that a member has four gigabytes."""
    body = bytearray(packed(**{"a.txt": b"a"}))
    place = body.index(b"PK\x01\x02")
    body[place + 24 : place + 28] = b"\xfe\xff\xff\xff"
    return bytes(body)


def deep_json() -> bytes:
    return b"[" * 200_000 + b"]" * 200_000


def ring_of_xrefs() -> bytes:
    """A PDF whose table of objects names itself as the one before."""
    whole = made.pdf("one")
    start = whole.rindex(b"startxref")
    place = whole.rindex(b"xref\n0")
    return whole[:start].replace(b"/Root", b"/Prev %d /Root" % place) + whole[start:]


def ring_of_pages() -> bytes:
    """A PDF whose pages have themselves as children."""
    return made.pdf("one").replace(b"/Kids [5 0 R]", b"/Kids [2 0 R]").replace(b"/Count 1", b"/Count 9")


BOMBS = {
    "strings": (swollen_strings, "a.xlsx"),
    "objects": (many_objects, "a.json"),
    "laughs": (entities, "a.xlsx"),
    "json": (deep_json, "a.json"),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_ends_with_its_own_process_and_the_model_is_told(name: str):
    make, file_name = BOMBS[name]
    bomb = make()
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(ToolFailed) as failed:
        await apart.read("files", bomb, name=file_name, mime="", max_rows=20, max_chars=1000)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    assert any(words in str(failed.value) for words in REFUSALS)
    assert time.monotonic() - began < SECONDS_MAX
    assert grown < 40, f"{grown} MB here"


async def test_an_archive_is_listed_without_being_unpacked_whatever_it_says_of_itself():
    arguments = {"name": "a.zip", "mime": "application/zip", "max_rows": 2, "max_chars": 5000}
    shown = await apart.read("files", packed(**{f"{n}.txt": b"" for n in range(20_000)}), **arguments)
    assert shown.startswith("An archive of 20,000 entries, 0 bytes unpacked:")
    assert len(shown.splitlines()) == 3
    assert "4,294,967,294 bytes unpacked" in await apart.read("files", lying_zip(), **arguments)
    nested = packed(**{"inner.zip": packed(zeros=bytes(50 * MEGABYTE))})
    assert "inner.zip" in await apart.read("files", nested, **arguments)


@pytest.mark.parametrize("bomb", [ring_of_xrefs(), ring_of_pages()], ids=["xrefs", "pages"])
async def test_a_pdf_that_goes_round_in_a_ring_is_cut_to_the_page_it_has(bomb: bytes):
    cut = base64.b64decode(await apart.read("pdfs", bomb, pages=[], pages_max=50))
    assert len(PdfReader(io.BytesIO(cut)).pages) == 1


async def test_a_workbook_is_previewed_by_its_first_rows():
    content = made.workbook(["bird", "count"], ["starling", 100_000], ["wren", 2])
    shown = await apart.read("files", content, name="a.xlsx", mime="", max_rows=2, max_chars=5000)
    assert "bird | count\nstarling | 100000" in shown
    assert "wren" not in shown
