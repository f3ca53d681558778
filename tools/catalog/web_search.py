"""web_search: the vendor's own. Here stands only its name; a provider that has one sends it as its own."""

from typing import Annotated

from django.utils.translation import gettext_lazy as _
from pydantic import Field

from conversations.contracts import ToolContext, ToolFailed, ToolOutput
from tools.base import tool


@tool(label=_("Searching the web"), icon="🔍", seconds_max=5, native=True)
async def web_search(
    context: ToolContext,  # noqa: ARG001  (the same for every tool)
    query: Annotated[str, Field(description="What to search for.")],  # noqa: ARG001
) -> ToolOutput:
    """Search the web for what is newer than you or better looked up than remembered.

    Each search costs about a cent besides its tokens.
    """
    raise ToolFailed(
        "Searching is done by the model's own vendor, and this model has none. Go on without it."
    )
