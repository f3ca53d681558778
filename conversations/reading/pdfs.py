"""PDFs: their pages counted for models that look at them, their words for those that do not."""

import io
import logging
import time

from pypdf import PdfReader
from pypdf.errors import DependencyError, PyPdfError

from conversations.reading.findings import TEXT_MAX, WORDS, Unreadable, worded
from conversations.reading.findings import Findings as Findings

MIME = "application/pdf"
PAGES_SHOWN_MAX = 30  # pages a model looks at; a longer one is read as words, or one question costs a dollar
BYTES_SHOWN_MAX = 10_000_000
PAGE_TOKENS = 3_000  # at most, text and picture: platform.claude.com/docs/en/build-with-claude/pdf-support
READING_SECONDS = 5.0  # of the process's own CPU time for the words; what was not reached is told as cut

logging.getLogger("pypdf").setLevel(
    logging.CRITICAL
)  # it complains about every odd file; nobody is there to read it


def read(_mime: str, content: bytes) -> Findings:
    """A PDF's words and what looking at it costs. Raises Unreadable."""
    try:
        reader = PdfReader(io.BytesIO(content))
        was_locked = reader.is_encrypted
        if was_locked and not reader.decrypt(""):
            raise Unreadable("locked")
        pages = len(reader.pages)
        text, missing = _words(reader, pages)
    except DependencyError:
        raise Unreadable("locked") from None
    except (PyPdfError, OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
        raise Unreadable("damaged") from None
    if not pages:
        raise Unreadable("damaged")
    # One that opens with an empty password opens here, but vendors refuse it.
    seen = pages <= PAGES_SHOWN_MAX and len(content) <= BYTES_SHOWN_MAX and not was_locked
    note = f"\n\n[{missing} more of its {pages} pages were not read]" if missing else ""
    found = worded(MIME, text or ("" if seen else "[No text was found in it: its pages may be pictures.]"))
    shown = {"shown": "" if seen else WORDS, "tokens": pages * PAGE_TOKENS if seen else 0}
    return Findings(MIME, found.text + note, found.cut, **shown)  # type: ignore[arg-type]


def _words(reader: PdfReader, pages: int) -> tuple[str, int]:
    """The words page by page while time and room last, and how many pages were not reached."""
    until = time.process_time() + READING_SECONDS
    pieces: list[str] = []
    length = 0
    for number in range(pages):
        if time.process_time() > until or length > TEXT_MAX:
            return "\n\n".join(pieces), pages - number
        words = reader.pages[number].extract_text().strip()
        if words:
            pieces.append(f"[Page {number + 1}]\n{words}")
            length += len(pieces[-1])
    return "\n\n".join(pieces), 0
