"""Words out of plain bytes: the encoding guessed, a page of HTML told from its markup."""

import codecs
import re

from lxml import etree, html

from conversations.reading.findings import Findings, Unreadable, worded

LOOKED_AT = 8_192  # bytes that decide whether something is text
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What no text has: control characters other than tab, line breaks, form feed and escape.
CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
CYRILLIC_RUN = re.compile(r"[А-яЁё]{2,}")
MARKUP_MAX = 20_000  # characters of HTML that are worth reading as they are; a longer page is its words
BLOCKS = {"p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote", "section"}
SILENT = {"script", "style", "noscript", "template", "svg", "head"}


def read(mime: str, content: bytes) -> Findings:
    text = decoded(content)
    if mime == "text/html" and len(text) > MARKUP_MAX:
        text = words_of_html(text)
    return worded({"text/json": "application/json"}.get(mime, mime), text)


def is_text(content: bytes) -> bool:
    """Do these bytes look like text of some encoding?"""
    head = content[:LOOKED_AT]
    if any(head.startswith(bom) for bom, _ in BOMS) or _wide(head):
        return True
    return bool(head) and not CONTROLS.search(head)


def decoded(content: bytes) -> str:
    """Bytes as text: by their mark, as UTF-8, or in the old encoding of their language."""
    for bom, encoding in BOMS:
        if content.startswith(bom):
            return content.decode(encoding, "replace")
    if wide := _wide(content[:LOOKED_AT]):
        return content.decode(wide, "replace")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        # Cut in the middle of a letter, but for that whole: a file that was cut off.
        if error.start >= len(content) - 3:
            return content[: error.start].decode()
    return _from_code_page(content)


def _wide(head: bytes) -> str:
    """The encoding of UTF-16 without its mark, told by where its zeros are; empty for anything else."""
    if len(head) < 4 or b"\x00" not in head:
        return ""
    even, odd = head[::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > half * 0.4 and even < half * 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > half * 0.4 and odd < half * 0.05 else ""


def _from_code_page(content: bytes) -> str:
    """Windows' Cyrillic or its Latin page: Russian words are runs of high letters, French ones are not."""
    text = content.decode("cp1251", "replace")
    high = sum(1 for byte in content if byte >= 0x80)
    in_runs = sum(len(run) for run in CYRILLIC_RUN.findall(text))
    return text if in_runs > high * 0.7 else content.decode("cp1252", "replace")


def words_of_html(source: str | bytes) -> str:
    """The words of a page, each block on a line of its own. Raises Unreadable."""
    try:
        page = html.document_fromstring(source, parser=html.HTMLParser(huge_tree=False))
    except (etree.LxmlError, ValueError, AssertionError):
        raise Unreadable("damaged") from None
    pieces: list[str] = []
    for event, node in etree.iterwalk(page, events=("start", "end")):
        if not isinstance(node.tag, str):
            continue
        if event == "start" and node.tag in SILENT:
            node.text = None
            for child in list(node):
                node.remove(child)
        elif event == "start":
            pieces.append(node.text or "")
        if event == "end":
            pieces.append(("\n" if node.tag in BLOCKS else "") + (node.tail or ""))
    lines = (re.sub(r"[ \t\r\f\v\xa0]+", " ", line).strip() for line in "".join(pieces).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
