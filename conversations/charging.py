"""What a model call costs, and who pays: its person, by a charge; or the operator, who absorbs it."""

from decimal import Decimal

from billing import ledger
from billing.absorbed import absorb
from billing.errors import PriceUnknown
from billing.models import AbsorbedCost, BalanceOperation
from billing.prices import rates_for
from billing.pricing import Usage, bill
from conversations.contracts import Model
from conversations.models import Message, Turn
from conversations.reply import Reply, usage_of
from conversations.said import gather
from conversations.steps import Step, expected_prompt


def charge(step: Step, usage: Usage) -> Decimal:
    """Settle a model call; what its person was charged."""
    made = bill(step.model.id, usage, step.rates)
    ledger.settle(step.hold_key, key=step.key, amount=made.charged, cost=made.cost, details=made.details)
    return made.charged


def absorb_failed(step: Step, usage: Usage) -> None:
    """It ended before it said anything: its person pays nothing, its vendor has counted all the same."""
    _absorb(step, usage, AbsorbedCost.Kind.FAILED)


def absorb_late(step: Step, reply: Reply) -> None:
    """Another process had the turn by then. Not when it was closed by a commit of ours whose answer got lost."""
    usage = usage_of(step.request, reply) or reply.usage
    if usage:
        _absorb(step, usage, AbsorbedCost.Kind.LATE)


def absorb_killed(turn: Turn, model: Model) -> None:
    """A process is gone between asking and keeping the answer: the prompt of that call, as far as we can count it.

    Call with the turn's row locked, before its next step is opened.
    """
    number = turn.steps - 1
    keys = [f"turn:{turn.pk}:{what}:{number}" for what in ("step", "compact")]
    if (
        Message.objects.filter(turn=turn, step=number, role="assistant").exists()
        or BalanceOperation.objects.filter(key__in=keys).exists()
    ):
        return
    try:
        rates = rates_for(model.id)
    except PriceUnknown:  # the price list has told staff
        return
    made = bill(model.id, expected_prompt(turn, model, gather(turn)), rates)
    absorb(
        f"{keys[0]}:killed",
        user_id=turn.user_id,
        kind=AbsorbedCost.Kind.KILLED,
        cost=made.cost,
        details={**made.details, "estimated": True},
    )


def _absorb(step: Step, usage: Usage, kind: AbsorbedCost.Kind) -> None:
    made = bill(step.model.id, usage, step.rates)
    key = f"{step.key}:{kind.value}:{step.owner}"
    absorb(
        key,
        user_id=step.user_id,
        kind=kind,
        cost=made.cost,
        details=made.details,
        charged_as=step.key,
    )
