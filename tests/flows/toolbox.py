"""A tool as a model calls it in a flow, and what stands in the rows behind it."""

from decimal import Decimal

from accounts.models import User
from billing.ledger import credit, debit
from billing.models import BalanceOperation
from conversations.models import Turn
from conversations.write_behind import flush
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Block, Use, Words
from tests.flows.books import asynchronous
from tests.waiting import eventually
from tools.models import ToolCall

SECONDS_MAX = 30  # a worker looks twice a second, on a machine that may have more to do


async def as_asked(claude: AnthropicStandIn, person: Person, *uses: Use, last: str = "Done.") -> list[Block]:
    """Let Claude make these calls in one step and then say the last words; returns what it was told."""
    before = len(person.replies)
    claude.say(Words("One moment."), *uses)
    claude.say(Words(last))
    await person.send("Please")
    await person.wait_until(
        lambda: next(
            (reply for reply in person.replies[before:] if reply.get("text", "").endswith(last)), None
        ),
        SECONDS_MAX,
    )
    await eventually(_at_rest, "the end of the turn")
    said = claude.requests[-1].body["messages"][-1]["content"]
    results = [block for block in said if block["type"] == "tool_result"]
    assert len(results) == len(uses)
    return results


@asynchronous
def _at_rest() -> bool:
    return not Turn.objects.filter(state=Turn.State.RUNNING).exists()


@asynchronous
def _flushed() -> list[ToolCall]:
    flush()
    return list(ToolCall.objects.order_by("started_at"))


async def written(count: int = 1) -> list[ToolCall]:
    """Every call's row, as soon as so many are written; writing behind may have to try again."""

    async def enough() -> list[ToolCall] | None:
        rows = await _flushed()
        return rows if len(rows) >= count else None

    return await eventually(enough, f"{count} calls written down")


@asynchronous
def tool_charges() -> list[Decimal]:
    """What was charged for tools, as it stands in the ledger, oldest first."""
    charges = BalanceOperation.objects.filter(kind="tool").order_by("pk")
    return list(charges.values_list("amount", flat=True))


@asynchronous
def empty(telegram_id: int, *, give: Decimal = Decimal(0)) -> None:
    """Take all that a person has, whatever is held of it; or give somebody dollars."""
    person = User.objects.get(telegram_id=telegram_id)
    if give:
        credit(person.pk, key=f"test:give:{give}", amount=give, kind="gift_in")
    else:
        debit(person.pk, key="test:empty", amount=person.balance, kind="gift_out", force=True)


@asynchronous
def leave(telegram_id: int, dollars: Decimal) -> None:
    """Take all but so many dollars from a person whose turns have ended."""
    person = User.objects.get(telegram_id=telegram_id)
    debit(person.pk, key=f"test:leave:{dollars}", amount=person.balance - dollars, kind="gift_out")
