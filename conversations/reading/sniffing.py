"""What bytes are, by the bytes: a declared type is only believed where they say nothing.

Telegram passes on what the sender's app claims, and `application/octet-stream` or nothing at all is
common (lesson: a PDF declared as such was refused by the vendor).
"""

import io
import mimetypes
import zipfile

from conversations.reading.findings import UNKNOWN, Unreadable
from conversations.reading.texts import is_text

# First bytes, and what they are: https://en.wikipedia.org/wiki/List_of_file_signatures
MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (0, b"BM", "image/bmp"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"OggS", "audio/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"\x7fELF", "application/x-executable"),
    (0, b"MZ", "application/vnd.microsoft.portable-executable"),
    (257, b"ustar", "application/x-tar"),
)
# ISO base media: the brand behind `ftyp`.
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
AVIF_BRANDS = {b"avif", b"avis"}
OFFICE = "application/vnd.openxmlformats-officedocument."
OFFICE_FOLDERS = {
    "word/": f"{OFFICE}wordprocessingml.document",
    "xl/": f"{OFFICE}spreadsheetml.sheet",
    "ppt/": f"{OFFICE}presentationml.presentation",
}
PDF_WITHIN = 1024  # bytes before %PDF- that readers forgive
ENTRIES_MAX = 2_000  # of an archive; a large workbook has 200
UNPACKED_MAX = 150_000_000  # bytes; every document worth reading is far below
RATIO_MAX = 200  # of an archive as a whole above UNPACKED_FREE; text packs about 10:1, zeros 1000:1
UNPACKED_FREE = 10_000_000  # bytes that are harmless whatever they were packed from


def media_type(content: bytes, name: str, declared: str) -> str:
    """The media type of these bytes. Raises Unreadable for an archive that is a bomb."""
    for offset, magic, mime in MAGIC:
        if content.startswith(magic, offset) and not (mime == "image/bmp" and is_text(content)):
            return mime
    if b"%PDF-" in content[:PDF_WITHIN]:
        return "application/pdf"
    if content[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(content[8:12], UNKNOWN)
    if content[4:8] == b"ftyp":
        return _iso_media(content[8:12], declared)
    if content[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _archive(content)
    if is_text(content):
        return _text(name, declared)
    guessed = mimetypes.guess_type(name)[0] or ""
    # A picture or a document that does not begin like one is none; of sound and the rest we read nothing.
    believed = next((mime for mime in (declared, guessed) if mime.startswith(("audio/", "video/"))), UNKNOWN)
    if believed is UNKNOWN and (declared.startswith("image/") or guessed.startswith("image/")):
        raise Unreadable("damaged")
    return believed


def _iso_media(brand: bytes, declared: str) -> str:
    if brand in HEIF_BRANDS:
        return "image/heic"
    if brand in AVIF_BRANDS:
        return "image/avif"
    return declared if declared.startswith(("audio/", "video/")) else "video/mp4"


def _archive(content: bytes) -> str:
    """What kind of archive this is, by its directory alone, after a look at how much is packed in it."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries[: 2 * ENTRIES_MAX]]
            is_book = "mimetype" in names and archive.read("mimetype")[:40] == b"application/epub+zip"
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, ValueError, OSError):
        raise Unreadable("damaged") from None
    office = (
        mime for folder, mime in OFFICE_FOLDERS.items() if any(name.startswith(folder) for name in names)
    )
    mime = "application/epub+zip" if is_book else next(office, "application/zip")
    if mime == "application/zip":
        return mime  # not opened by us, so whatever is in it does nothing
    unpacked = sum(entry.file_size for entry in entries)
    too_dense = unpacked > UNPACKED_FREE and unpacked > RATIO_MAX * len(content)
    if len(entries) > ENTRIES_MAX or unpacked > UNPACKED_MAX or too_dense:
        raise Unreadable("too_much")
    return mime


def _text(name: str, declared: str) -> str:
    """The kind of text: an unknown one is plain, so everything readable is read."""
    guessed = mimetypes.guess_type(name)[0] or declared
    known = {
        "application/json": "text/json",
        "text/html": "text/html",
        "application/xhtml+xml": "text/html",
        "text/csv": "text/csv",
    }
    return known.get(guessed, "text/plain")
