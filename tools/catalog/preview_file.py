"""preview_file: what is in a file of the conversation."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from django.utils.translation import gettext_lazy as _
from pydantic import Field

from conversations.contracts import ToolContext, ToolFailed, ToolOutput
from tools import apart
from tools.base import tool
from tools.catalog import _vision

BYTES_MAX = 20_000_000  # of a file that is read; Telegram gives bots no larger ones
CHARS_MAX = 20_000


def _price(arguments: Mapping[str, Any]) -> Decimal:
    """Only a question about a picture or a PDF asks a model."""
    return _vision.price_of_look(_vision.PDF_PAGES_LOOK) if arguments["question"] else Decimal(0)


@tool(label=_("Looking into a file"), icon="🔎", seconds_max=_vision.SECONDS_MAX, price_max=_price)
async def preview_file(
    context: ToolContext,
    file_id: Annotated[str, Field(description="A file of this conversation, e.g. f_7k2q.")],
    question: Annotated[
        str,
        Field(
            max_length=1000,
            description="What to look for in a picture or PDF: a vision model answers, for a few cents at most.",
        ),
    ] = "",
    max_rows: Annotated[int, Field(ge=1, le=200, description="Rows or entries to show.")] = 20,
    max_chars: Annotated[int, Field(ge=100, le=CHARS_MAX, description="Characters to show.")] = 5000,
) -> ToolOutput:
    """See what is in a file before you work with it or deliver it.

    Text, CSV, XLSX, JSON and listings of zip archives are free. A picture or PDF is looked at by a vision
    model, which needs a question and costs its tokens.
    """
    file, content = await context.files.read(file_id)
    head = f"{file_id}: {file.name}, {file.mime}, {file.size:,} bytes"
    if len(content) > BYTES_MAX:
        raise ToolFailed(f"{head}. Files above {BYTES_MAX:,} bytes are not previewed; deliver it as it is.")
    if not content:
        return ToolOutput(f"{head}. It is empty.")
    kind = _vision.kind_of(content)
    if kind in _vision.KINDS:
        if not question:
            raise ToolFailed(f"{head}. To look at a picture or PDF give a question; that is paid.")
        return await _vision.look(file, content, question)
    shown = await apart.read(
        "files", content, name=file.name, mime=file.mime, max_rows=max_rows, max_chars=max_chars
    )
    return ToolOutput(f"{head}\n\n{shown}")
