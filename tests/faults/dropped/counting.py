"""Two tools for fault runs, one for each place a tool runs in: each writes down when it begins and when it ends.

Dropped into a copy of the catalog (tests/faults/house.py); where they write is COUNTING_LOG.
"""

import asyncio
import os
import time
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from conversations.contracts import ToolContext, ToolOutput
from tools.base import tool

COST = Decimal("0.001")
SECONDS = 0.2  # long enough to be killed over

Number = Annotated[int, Field(description="Which.")]


@tool(label="Counting here", icon="🔢", seconds_max=60, price_max=COST)
async def count_here(context: ToolContext, number: Number) -> ToolOutput:
    """Count one in the bot."""
    return await _count(context)


@tool(label="Counting there", icon="🔢", seconds_max=60, price_max=COST, runs_in="worker")
async def count_there(context: ToolContext, number: Number) -> ToolOutput:
    """Count one in a worker."""
    return await _count(context)


async def _count(context: ToolContext) -> ToolOutput:
    _, call_id = context.call
    _note("begin", call_id)
    await asyncio.sleep(SECONDS)
    _note("end", call_id)
    return ToolOutput("Counted.", cost=COST)


def _note(what: str, call_id: str) -> None:
    """One write of one line: it is there whole, whatever is killed behind it."""
    log = os.open(os.environ["COUNTING_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, f"{what} {call_id} {time.time()}\n".encode())
    os.close(log)
