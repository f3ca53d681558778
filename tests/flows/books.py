"""What the tables say after a flow, read as a test reads it."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from accounts.models import User
from billing.models import BalanceOperation, Hold
from config.aio import in_db
from conversations.models import Message, Turn
from tests.waiting import eventually


def asynchronous(read: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    return in_db(read)


@asynchronous
def balance_of(telegram_id: int) -> Decimal:
    return User.objects.get(telegram_id=telegram_id).balance


@asynchronous
def charges_of(telegram_id: int) -> list[Decimal]:
    """What was charged, oldest first, as positive dollars."""
    charged = BalanceOperation.objects.filter(
        user__telegram_id=telegram_id, kind__in=BalanceOperation.CHARGES
    )
    return [-amount for amount in charged.order_by("pk").values_list("amount", flat=True)]


@asynchronous
def turns() -> list[Turn]:
    return list(Turn.objects.order_by("pk"))


@asynchronous
def messages(role: str) -> list[Message]:
    return list(Message.objects.filter(role=role).order_by("seq", "pk"))


@asynchronous
def mismatches() -> list[str]:
    """People whose balance is not the sum of their operations, or held not that of their open holds.

    One statement: a turn may end between two.
    """
    mine = {"user": OuterRef("pk")}
    operations = BalanceOperation.objects.filter(**mine).order_by().values("user")
    holds = Hold.objects.filter(**mine, state=Hold.State.OPEN).order_by().values("user")
    people = User.objects.annotate(
        operated=Coalesce(Subquery(operations.annotate(sum=Sum("amount")).values("sum")), Decimal(0)),
        open_holds=Coalesce(Subquery(holds.annotate(sum=Sum("amount")).values("sum")), Decimal(0)),
    )
    return [
        f"{user}: {user.operated} / {user.balance}, {user.open_holds} / {user.held}"
        for user in people
        if (user.operated, user.open_holds) != (user.balance, user.held)
    ]


async def all_done(count: int = 1) -> list[Turn]:
    """Wait until so many turns have ended; returns them all."""

    async def ended() -> list[Turn] | None:
        rows = await turns()
        done = [turn for turn in rows if turn.state != Turn.State.RUNNING]
        return rows if len(done) >= count else None

    return await eventually(ended, f"{count} ended turns")
