"""cost_estimator: what a tool call would cost at most, and what the person would have left."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from django.utils.translation import gettext_lazy as _
from pydantic import Field

from accounts.money import cost_dollars, dollars
from billing.errors import PriceUnknown
from billing.policy import can_make_request
from billing.prices import terms
from config.aio import in_db
from conversations.contracts import ToolContext, ToolFailed, ToolOutput
from tools import catalog
from tools.base import tool


@tool(label=_("Working out the cost"), icon="🧾", seconds_max=10)
async def cost_estimator(
    context: ToolContext,
    tool: Annotated[str, Field(description="The name of a tool, e.g. analyze_pdf.")],
    arguments: Annotated[
        dict[str, Any] | None, Field(description="The arguments it would be called with, as an object.")
    ] = None,
) -> ToolOutput:
    """Say what a call of another tool would cost at most, and the person's balance after it.

    Use it before a call that may be dear, or when the person asks for a price. It runs nothing and is free.
    Your own words are charged by their tokens besides.
    """
    known = catalog.tools()
    if tool not in known:
        raise ToolFailed(f"There is no tool {tool!r}. The tools are: {', '.join(known)}.")
    if known[tool].native:
        return ToolOutput(f"{tool} is run by the model's own vendor and charged with the answer, per use.")
    most, balance = await in_db(_estimate)(context.user_id, tool, arguments or {})
    if not most:
        return ToolOutput(f"{tool} is free. The balance is {dollars(balance)}.")
    left = balance - most
    covered = "" if left >= 0 else " The balance does not cover that: name /pay."
    return ToolOutput(
        f"{tool} with these arguments costs at most {cost_dollars(most)}; what it really uses is charged. "
        f"The balance is {dollars(balance)}, afterwards at least {dollars(left)}.{covered}"
    )


def _estimate(user_id: int, name: str, arguments: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    try:
        most = terms().on(catalog.tools()[name].ceiling(arguments))
    except PriceUnknown as error:
        raise ToolFailed(f"{name} has no price at the moment, so it cannot be used.") from error
    return most, can_make_request(user_id).balance
