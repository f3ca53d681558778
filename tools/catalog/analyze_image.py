"""analyze_image: a focused look at one picture."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from django.utils.translation import gettext_lazy as _
from pydantic import Field

from conversations.contracts import ToolContext, ToolFailed, ToolOutput
from tools.base import tool
from tools.catalog import _vision


def _price(_arguments: Mapping[str, Any]) -> Decimal:
    return _vision.price_of_look(1)


@tool(label=_("Looking at a picture"), icon="👁", seconds_max=_vision.SECONDS_MAX, price_max=_price)
async def analyze_image(
    context: ToolContext,
    file_id: Annotated[str, Field(description="A picture of this conversation, e.g. f_7k2q.")],
    question: Annotated[
        str, Field(min_length=1, max_length=1000, description="What you want to know of it, exactly.")
    ],
) -> ToolOutput:
    """Have a vision model look at one picture and answer a question about it.

    Use it for pictures from earlier or made by a tool, for reading what is written in one, or when you
    cannot see pictures yourself. Pictures the person has just sent are before you already if you can see.
    PNG, JPEG, GIF and WebP. It costs the look's tokens.
    """
    file, content = await context.files.read(file_id)
    kind = _vision.kind_of(content)
    if kind == _vision.PDF:
        raise ToolFailed(f"{file_id} ({file.name}) is a PDF. Use analyze_pdf.")
    if kind not in _vision.IMAGES:
        raise ToolFailed(
            f"{file_id} ({file.name}) is {file.mime}, no picture. Use preview_file to see into it."
        )
    return await _vision.look(file, content, question)
