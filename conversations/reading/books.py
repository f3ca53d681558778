"""Words out of EPUB and RTF."""

import io
import posixpath
import zipfile
from collections.abc import Iterator
from urllib.parse import unquote

from lxml import etree
from striprtf.striprtf import rtf_to_text

from conversations.reading.findings import TEXT_MAX, Findings, Unreadable, worded
from conversations.reading.texts import words_of_html

CONTAINER = "META-INF/container.xml"


def read(mime: str, content: bytes) -> Findings:
    """A book's words in the order of its chapters. Raises Unreadable."""
    try:
        if mime == "application/rtf":
            text: str = rtf_to_text(content.decode("latin-1"), errors="replace")  # type: ignore[no-untyped-call]
            return worded(mime, text)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return worded(mime, "\n\n".join(_chapters(archive)))
    except (
        etree.LxmlError,
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        OSError,
        EOFError,
    ):
        raise Unreadable("damaged") from None


def _chapters(archive: zipfile.ZipFile) -> Iterator[str]:
    package = _xml(archive.read(CONTAINER)).find(".//{*}rootfile").get("full-path")
    tree = _xml(archive.read(package))
    places = {item.get("id"): item.get("href") for item in tree.iterfind(".//{*}manifest/{*}item")}
    length = 0
    for chapter in tree.iterfind(".//{*}spine/{*}itemref"):
        place = posixpath.normpath(
            posixpath.join(posixpath.dirname(package), unquote(places[chapter.get("idref")]))
        )
        words = words_of_html(archive.read(place))
        yield words
        length += len(words)
        if length > 2 * TEXT_MAX:
            yield "[The rest was not read.]"
            return


def _xml(source: bytes) -> etree._Element:
    return etree.fromstring(source, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))
