"""What a turn cost and what it was spent on, read from the rows: the same after a crash, and a year later."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings

from accounts.models import User
from billing.models import BalanceOperation
from conversations.models import Message, Turn
from conversations.parts import Parts, ToolCall, text_of

LOW_BALANCE = Decimal("0.10")  # dollars; below this a person is told once that it will run out
FRESH = ("input", "cache_write_5m", "cache_write_1h")  # of Usage: what was not read from a cache


@dataclass(frozen=True, slots=True)
class ToolCost:
    """One tool as a turn used it."""

    name: str
    times: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Receipt:
    """One turn's cost in dollars, by what made it up, and the balance it left."""

    cost: Decimal
    balance: Decimal  # now, whatever else was spent since
    went_low: bool  # this turn took the balance below LOW_BALANCE
    fresh: int  # tokens in that no cache had
    cached: int
    output: int
    searches: int
    tools: tuple[ToolCost, ...]
    said_nothing: bool


def is_worth_a_look(user: User) -> bool:
    """Can a turn of a person who had this balance have taken it low? Spares a query where it cannot."""
    return not settings.TURN_CAP_USD or user.balance - settings.TURN_CAP_USD < LOW_BALANCE


def receipt_of(turn: Turn) -> Receipt:
    """The ledger says what it cost and what was charged for, the messages which tools were used."""
    operations = list(
        BalanceOperation.objects.filter(user_id=turn.user_id, key__startswith=f"{turn.hold_key}:")
    )
    parts = list(Message.objects.filter(turn=turn, role="assistant").values_list("parts", flat=True))
    usage: Counter[str] = Counter()
    for operation in operations:
        usage.update(_counts(operation))
    return Receipt(
        cost=-sum((operation.amount for operation in operations), Decimal(0)),
        balance=User.objects.values_list("balance", flat=True).get(pk=turn.user_id),
        went_low=any(_crosses(operation) for operation in operations),
        fresh=sum(usage[name] for name in FRESH),
        cached=usage["cache_read"],
        output=usage["output"],
        searches=usage["web_searches"],
        tools=_tools(turn, parts, operations),
        said_nothing=not any(text_of(row).strip() for row in parts),
    )


def _counts(operation: BalanceOperation) -> dict[str, int]:
    """The tokens and searches a model call was charged for, a summary's among them."""
    usage: dict[str, int] = operation.details.get("usage", {}) if operation.kind == "usage" else {}
    return {name: count for name, count in usage.items() if name != "estimated"}


def _crosses(operation: BalanceOperation) -> bool:
    """Of all operations that lead below the line, one steps over it: so a person is told once."""
    after: Decimal = operation.balance_after
    before: Decimal = after - operation.amount
    return after < LOW_BALANCE <= before


def _tools(turn: Turn, said: Sequence[Parts], operations: Sequence[BalanceOperation]) -> tuple[ToolCost, ...]:
    charged = {operation.key: -operation.amount for operation in operations}
    times: Counter[str] = Counter()
    costs: dict[str, Decimal] = {}
    for call in (part for parts in said for part in parts if isinstance(part, ToolCall)):
        times[call.name] += 1
        cost = charged.get(f"{turn.hold_key}:tool:{call.id}", Decimal(0))
        costs[call.name] = costs.get(call.name, Decimal(0)) + cost
    return tuple(ToolCost(name, times[name], costs[name]) for name in times)
