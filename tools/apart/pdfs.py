"""A PDF of chosen pages, by pypdf."""

import base64
import io

from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError

from tools.apart.child import Unreadable


def read(content: bytes, *, pages: list[int], pages_max: int) -> str:
    """A PDF of the chosen pages alone (none: of all), as base64."""
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("The PDF is locked with a password. Ask the person for one that is not.")
        count = len(reader.pages)
        if beyond := [page for page in pages if page > count]:
            raise Unreadable(f"The PDF has {count} pages; there is no page {beyond[0]}.")
        if not pages and count > pages_max:
            raise Unreadable(
                f'The PDF has {count} pages. Name at most {pages_max} of them, like pages="1-10".'
            )
        writer = PdfWriter()
        for page in pages or range(1, count + 1):
            writer.add_page(reader.pages[page - 1])
        cut = io.BytesIO()
        writer.write(cut)
    except PyPdfError as error:
        raise Unreadable("The PDF is damaged and cannot be read.") from error
    return base64.b64encode(cut.getvalue()).decode()
