"""Two tools that do nothing, one for each place a tool runs in: what is measured around them is ours."""

from conversations.contracts import ToolContext, ToolOutput
from tools.base import tool


@tool(label="Doing nothing here", icon="⏱", seconds_max=60)
async def nothing_here(context: ToolContext) -> ToolOutput:
    """Do nothing, in the bot."""
    return ToolOutput("Nothing.")


@tool(label="Doing nothing there", icon="⏱", seconds_max=60, runs_in="worker")
async def nothing_there(context: ToolContext) -> ToolOutput:
    """Do nothing, in a worker."""
    return ToolOutput("Nothing.")
