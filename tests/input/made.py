"""Files as people send them, made on the spot: sound ones, broken ones, and bombs."""

import io
import struct
import zipfile
import zlib

import docx
import openpyxl
import pillow_heif
import pptx
from PIL import Image, ImageDraw
from pypdf import PdfReader, PdfWriter

OGG = b"OggS" + b"\0" * 200

pillow_heif.register_heif_opener()


def picture(format: str = "JPEG", size: tuple[int, int] = (640, 480), **options: object) -> bytes:
    image = Image.new("RGB", size, "teal")
    ImageDraw.Draw(image).ellipse((10, 10, size[0] // 2, size[1] // 2), fill="orange")
    return _saved(image, format, **options)


def turned(size: tuple[int, int] = (640, 480)) -> bytes:
    """A photo whose camera was held upright: stored lying, and EXIF says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return _saved(Image.new("RGB", size, "teal"), "JPEG", exif=exif)


def _saved(image: Image.Image, format: str, **options: object) -> bytes:
    body = io.BytesIO()
    image.save(body, format, **options)
    return body.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header claims this size and whose data is next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


def pdf(*pages: str, password: str = "") -> bytes:
    """A PDF with these words on its pages."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids = []
    for words in pages:
        stream = f"BT /F1 24 Tf 72 700 Td ({words}) Tj ET".encode("latin-1")
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        font = b"<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources %s >>"
            % (len(objects), font)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    body, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    whole = body + b"xref\n0 %d\n0000000000 65535 f \n%strailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        count, table, count, len(body)
    )  # fmt: skip
    if not password:
        return whole
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(whole)))
    writer.encrypt(password)
    locked = io.BytesIO()
    writer.write(locked)
    return locked.getvalue()


def word(*paragraphs: str) -> bytes:
    document = docx.Document()
    document.add_heading("A report", 1)
    for words in paragraphs:
        document.add_paragraph(words)
    table = document.add_table(1, 2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "left", "right"
    return _written(document)


def workbook(*rows: list[object]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    return _written(book)


def slides(title: str) -> bytes:
    show = pptx.Presentation()
    show.slides.add_slide(show.slide_layouts[0]).shapes.title.text = title
    return _written(show)


def _written(document: object) -> bytes:
    body = io.BytesIO()
    document.save(body)
    return body.getvalue()


def book(*chapters: str) -> bytes:
    """An EPUB whose chapters stand in its spine the other way round than in its archive."""
    body = io.BytesIO()
    items = [f'<item id="c{n}" href="{n}.xhtml"/>' for n in range(len(chapters))]
    spine = [f'<itemref idref="c{n}"/>' for n in range(len(chapters))]
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        )
        archive.writestr(
            "OEBPS/book.opf",
            f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{"".join(items)}</manifest>'
            f"<spine>{''.join(spine)}</spine></package>",
        )
        for number, words in reversed(list(enumerate(chapters))):
            archive.writestr(f"OEBPS/{number}.xhtml", f"<html><body><p>{words}</p></body></html>")
    return body.getvalue()


def packed(name: str, size: int, entries: int = 1) -> bytes:
    """An archive of zeros: as many bytes in each entry as asked for."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(entries):
            archive.writestr(name if not number else f"{name}{number}", b"0" * size)
    return body.getvalue()
