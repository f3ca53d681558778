"""analyze_pdf: what stands on chosen pages of a PDF, words and looks."""

import base64
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from django.utils.translation import gettext_lazy as _
from pydantic import Field

from conversations.contracts import ToolContext, ToolFailed, ToolOutput
from tools import apart
from tools.base import tool
from tools.catalog import _vision

PAGES_MAX = 50  # of one look; Anthropic takes 100, at up to 3,000 tokens each
BYTES_MAX = 20_000_000
PAGES = re.compile(r"\s*(\d{1,5})\s*(?:-\s*(\d{1,5})\s*)?")


def _price(arguments: Mapping[str, Any]) -> Decimal:
    return _vision.price_of_look(len(chosen(arguments["pages"])) or PAGES_MAX)


@tool(label=_("Reading a PDF"), icon="📄", seconds_max=_vision.SECONDS_MAX, price_max=_price)
async def analyze_pdf(
    context: ToolContext,
    file_id: Annotated[str, Field(description="A PDF of this conversation, e.g. f_7k2q.")],
    question: Annotated[
        str, Field(min_length=1, max_length=1000, description="What you want to know of it, exactly.")
    ],
    pages: Annotated[
        str, Field(max_length=200, description='Which pages: "all", or numbers and ranges like "1-3,7".')
    ] = "all",
) -> ToolOutput:
    """Have a vision model read chosen pages of a PDF, text and pictures, and answer a question about them.

    Only the chosen pages are read and paid, at most 50: choose as few as answer the question. Use it for
    scans, tables, drawings, and documents from earlier in the conversation. It costs the look's tokens.
    """
    wanted = chosen(pages)
    file, content = await context.files.read(file_id)
    kind = _vision.kind_of(content)
    if kind in _vision.IMAGES:
        raise ToolFailed(f"{file_id} ({file.name}) is a picture. Use analyze_image.")
    if kind != _vision.PDF:
        raise ToolFailed(f"{file_id} ({file.name}) is {file.mime}, no PDF. Use preview_file to see into it.")
    if len(content) > BYTES_MAX:
        raise ToolFailed(f"{file_id} has {len(content):,} bytes; PDFs are read up to {BYTES_MAX:,}.")
    cut = await apart.read("pdfs", content, pages=wanted, pages_max=PAGES_MAX)
    return await _vision.look(file, base64.b64decode(cut), question)


def chosen(pages: str) -> list[int]:
    """Page numbers from 1, each once, as "1-3,7" names them; none means all. Raises ToolFailed."""
    if pages.strip().lower() in ("all", ""):
        return []
    numbers: dict[int, None] = {}
    for piece in pages.split(","):
        found = PAGES.fullmatch(piece)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 0 < first <= last:
            raise ToolFailed(f'{pages!r} names no pages. Give "all", or numbers and ranges like "1-3,7".')
        if last - first >= PAGES_MAX:
            raise ToolFailed(f"At most {PAGES_MAX} pages are read at once. Choose fewer.")
        numbers |= dict.fromkeys(range(first, last + 1))
    if len(numbers) > PAGES_MAX:
        raise ToolFailed(f"At most {PAGES_MAX} pages are read at once. Choose fewer.")
    return list(numbers)
