"""What is found in the files people send, read in a process of its own, and what is refused and why."""

import json
import re
import subprocess
import sys
import time

import pytest

from config.apart import ROOT, START
from config.apart_child import CPU_SECONDS, MEMORY_BYTES
from conversations.reading.apart import read
from conversations.reading.findings import TEXT_MAX, WORDS
from conversations.reading.pdfs import PAGES_SHOWN_MAX
from tests.input import made

OFFICE = "application/vnd.openxmlformats-officedocument."
RUSSIAN = "Привет! Это проверка кодировки, и ёлка тоже."


@pytest.mark.parametrize(
    ("content", "mime", "words"),
    [
        (made.word("Sales rose by 7 %."), f"{OFFICE}wordprocessingml.document", "Sales rose by 7 %."),
        (made.workbook(["city", "rain"], ["Oslo", 763]), f"{OFFICE}spreadsheetml.sheet", "Oslo\t763"),
        (made.slides("Plan for May"), f"{OFFICE}presentationml.presentation", "Plan for May"),
        (made.book("It began.", "It ended."), "application/epub+zip", "It began.\n\nIt ended."),
        (made.pdf("A page of words", "and another"), "application/pdf", "[Page 2]\nand another"),
        (rb"{\rtf1\ansi Plain \b bold\b0}", "application/rtf", "Plain bold"),
        (b'{"a": [1, 2]}', "application/json", '{"a": [1, 2]}'),
        (b"name;age\nAnna;7", "text/csv", "Anna;7"),
        (b"def f():\n    return 1\n", "text/plain", "return 1"),
        (b"<html><script>x()</script><p>One</p><p>Two</p>" + b"<p>more</p>" * 2000, "text/html", "One\nTwo"),
    ],
    ids=["docx", "xlsx", "pptx", "epub", "pdf", "rtf", "json", "csv", "py", "html"],
)
async def test_a_document_is_known_by_its_bytes_and_gives_its_words(content: bytes, mime: str, words: str):
    endings = {"application/json": "a.json", "text/csv": "a.csv", "text/html": "a.html"}
    found = await read(content, name=endings.get(mime, "file"), declared="application/octet-stream")
    assert (found.fault, found.mime) == (None, mime)
    assert words in found.text
    assert "x()" not in found.text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
async def test_russian_text_is_read_in_every_encoding_it_comes_in(encoding: str):
    found = await read(RUSSIAN.encode(encoding), name="a.txt", declared="")
    assert found.text == RUSSIAN


async def test_french_of_an_old_windows_is_not_taken_for_russian():
    found = await read("Où êtes-vous allé, garçon ?".encode("cp1252"), name="a.txt", declared="text/plain")
    assert found.text == "Où êtes-vous allé, garçon ?"


async def test_a_long_text_is_cut_and_says_how_much_is_missing():
    found = await read(b"x" * (TEXT_MAX + 5), name="a.txt", declared="text/plain")
    assert (len(found.text), found.cut) == (TEXT_MAX, 5)


@pytest.mark.parametrize("format", ["HEIF", "TIFF", "BMP", "GIF", "AVIF"])
async def test_a_picture_no_vendor_takes_is_shown_as_one_they_do(format: str):
    found = await read(made.picture(format), name="a", declared="")
    assert found.fault is None
    assert found.shown in {"image/jpeg", "image/png"}
    assert found.picture


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
async def test_a_picture_that_fits_is_shown_as_it_is(format: str):
    found = await read(made.picture(format), name="a", declared="application/octet-stream")
    assert (found.mime, found.shown, found.picture) == (f"image/{format.lower()}", "", b"")
    assert found.tokens == 410  # 640 · 480 / 750


async def test_a_large_picture_is_scaled_down_and_a_lying_one_stands_up():
    large = await read(made.picture(size=(4000, 3000)), name="a.jpg", declared="image/jpeg")
    assert large.tokens == 2459  # 1568 · 1176 / 750
    turned = await read(made.turned(), name="a.jpg", declared="image/jpeg")
    assert made.Image.open(made.io.BytesIO(turned.picture)).size == (480, 640)


async def test_a_long_pdf_is_its_words_and_a_short_one_is_looked_at():
    short = await read(made.pdf("One page"), name="a.pdf", declared="")
    long = await read(made.pdf(*["words"] * (PAGES_SHOWN_MAX + 1)), name="a.pdf", declared="")
    assert (short.shown, short.tokens) == ("", 3000)
    assert (long.shown, long.tokens) == (WORDS, 0)


RUBBISH = {
    "a JPEG cut short": (made.picture()[:2000], "a.jpg", "damaged"),
    "no picture at all": (b"\0\1\2\3rubbish" * 50, "a.jpg", "damaged"),
    "a PNG of 50,000 by 50,000": (made.png_of(50_000, 50_000), "a.png", "too_large_picture"),
    "a PDF with a password": (made.pdf("secret", password="open"), "a.pdf", "locked"),
    "half a PDF": (made.pdf("words")[:120], "a.pdf", "damaged"),
    "a DOCX of 300 MB of zeros": (made.packed("word/document.xml", 300_000_000), "a.docx", "too_much"),
    "an XLSX of 3,000 entries": (made.packed("xl/sheet", 1, 3_000), "a.xlsx", "too_much"),
    "a DOCX of 9 MB of zeros": (made.packed("word/document.xml", 9_000_000), "a.docx", "damaged"),
    "an empty file": (b"", "a.txt", "empty"),
    "half a ZIP": (made.word("words")[:900], "a.docx", "damaged"),
}


@pytest.mark.parametrize("kind", RUBBISH)
async def test_rubbish_is_refused_for_its_own_reason_and_soon(kind: str):
    content, name, fault = RUBBISH[kind]
    began = time.monotonic()
    found = await read(content, name=name, declared="")
    assert found.fault == fault
    assert time.monotonic() - began < 10


def test_reading_rubbish_stays_within_its_memory():
    """The largest picture that is read at all, and all the rubbish: the most that one process took."""
    largest = made.picture("PNG", (10_000, 9_999))
    # The kernel's own high-water mark of this process; ru_maxrss would count the parent it was forked from.
    start = START.replace("main()", "main(); sys.stderr.write(open('/proc/self/status').read())")
    taken = []
    for content, name in [
        (largest, "a.png"),
        *((content, name) for content, name, _ in RUBBISH.values() if content),
    ]:
        asked = {"reader": "conversations.reading.child", "name": name, "declared": ""}
        question = json.dumps(asked).encode() + b"\n" + content
        command = [sys.executable, "-I", "-c", start, str(ROOT)]
        ended = subprocess.run(command, input=question, env={}, capture_output=True)
        taken.append(int(re.search(rb"VmHWM:\s+(\d+) kB", ended.stderr)[1]) * 1024)
    print(
        f"memory of a reading process: at most {max(taken) / 2**20:.0f} MB, for rubbish {max(taken[1:]) / 2**20:.0f} MB"
    )
    assert max(taken) < MEMORY_BYTES


def test_a_process_that_wants_too_much_memory_is_ended_and_its_time_and_files_are_bounded():
    script = (
        "import resource; from config.apart_child import take_limits; take_limits();"
        " print(resource.getrlimit(resource.RLIMIT_CPU)[1], resource.getrlimit(resource.RLIMIT_FSIZE)[1], flush=True);"
        " bytearray(2**30)"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert ended.stdout.split() == [str(CPU_SECONDS), "0"]
    assert "MemoryError" in ended.stderr
