"""What the tables say after a fault: what was lost, doubled, charged for nothing or left behind."""

from collections import Counter
from dataclasses import dataclass, field

from django.db.models import F, Q, Sum
from django.db.models.functions import Now

from accounts.models import User
from billing import ledger
from billing.models import BalanceOperation, Hold
from config.aio import in_db
from conversations import write_behind
from conversations.leases import LEASE
from conversations.models import Message, Turn
from conversations.parts import ToolResult
from telegram_bot.models import Update
from tests.waiting import eventually
from tools.models import ToolCall


@dataclass
class Account:
    """One person's side of the books."""

    messages: set[int] = field(default_factory=set)  # Telegram's ids of what they wrote and we keep
    unhandled: int = 0  # updates nobody finished, or that are dead
    turns: list[str] = field(default_factory=list)  # states
    steps: int = 0  # model calls kept
    charges: int = 0
    charges_for_nothing: int = 0  # of a call whose words were not kept
    attempts: int = 0


@in_db
def accounts_of(people: list[int]) -> dict[int, Account]:
    """The books of these people, by their Telegram id."""
    found = {person: Account() for person in people}
    for person, number in Message.objects.filter(
        author__telegram_id__in=people, telegram_id__isnull=False
    ).values_list("author__telegram_id", "telegram_id"):
        found[person].messages.add(number)
    open_or_dead = Update.objects.filter(Q(handled_at__isnull=True) | ~Q(error=""), lane__in=people)
    for (person,) in open_or_dead.values_list("lane"):
        found[person].unhandled += 1
    kept: dict[int, set[str]] = {person: set() for person in people}
    for turn in Turn.objects.filter(user__telegram_id__in=people).select_related("user").order_by("pk"):
        account = found[turn.user.telegram_id]
        account.turns.append(turn.state)
        account.attempts = max(account.attempts, turn.attempts)
        steps = turn.messages.filter(role="assistant", cost__gt=0).values_list("step", flat=True)
        kept[turn.user.telegram_id] |= {f"turn:{turn.pk}:step:{step}" for step in steps}
    for person, key in BalanceOperation.objects.filter(
        user__telegram_id__in=people, kind="usage"
    ).values_list("user__telegram_id", "key"):
        found[person].charges += 1
        found[person].charges_for_nothing += key not in kept[person]
    for person in people:
        found[person].steps = len(kept[person])
    return found


@in_db
def mismatches() -> list[str]:
    """Where Σ operations ≠ balance, Σ open holds ≠ held, or a turn's cost ≠ its charges."""
    wrong = []
    for user in User.objects.all():
        operations = BalanceOperation.objects.filter(user=user).aggregate(sum=Sum("amount"))["sum"] or 0
        holds = user.holds.filter(state=Hold.State.OPEN).aggregate(sum=Sum("amount"))["sum"] or 0
        if (operations, holds) != (user.balance, user.held):
            wrong.append(f"{user.telegram_id}: {operations} / {user.balance}, {holds} / {user.held}")
    for turn in Turn.objects.all():
        charges = BalanceOperation.objects.filter(key__startswith=f"turn:{turn.pk}:")
        charged = -(charges.aggregate(sum=Sum("amount"))["sum"] or 0)
        if charged != turn.cost:
            wrong.append(f"turn {turn.pk}: charged {charged}, cost {turn.cost}")
    return wrong


@in_db
def open_holds_after_the_sweep() -> int:
    """Holds still open once their deadline has come and the sweeper has been."""
    running = Turn.objects.filter(state=Turn.State.RUNNING).values_list("pk", flat=True)
    left = Hold.objects.filter(state=Hold.State.OPEN).exclude(key__in=[f"turn:{pk}" for pk in running])
    found = left.count()
    Hold.objects.filter(state=Hold.State.OPEN).update(expires_at=Now())
    ledger.expire_holds()
    return found + Hold.objects.filter(state=Hold.State.OPEN).count()


@in_db
def let_leases_run_out() -> int:
    """As if the time of a lease had passed; how many were waited for."""
    Message.objects.filter(seq__isnull=True).update(created_at=F("created_at") - LEASE)
    return Turn.objects.filter(state=Turn.State.RUNNING, lease_until__gt=Now()).update(
        lease_until=F("lease_until") - LEASE
    )


@in_db
def doubled_messages() -> list[tuple[int, int]]:
    """Messages of people that stand in two places."""
    rows = Message.objects.filter(telegram_id__isnull=False).values_list("chat_id", "telegram_id")
    return [row for row, count in Counter(rows).items() if count > 1]


@in_db
def history() -> tuple[int, int]:
    """Calls whose result was kept and that the history of tools does not tell of, or tells of twice."""
    while write_behind.flush():
        pass
    rows = Message.objects.filter(role="user", telegram_id__isnull=True).values_list("parts", flat=True)
    kept = {part.call_id for parts in rows for part in parts if isinstance(part, ToolResult)}
    told = Counter(ToolCall.objects.values_list("call_id", flat=True))
    return len(kept - told.keys()), sum(count - 1 for count in told.values())


async def waiting(person: int, count: int = 1) -> None:
    """Until so many messages of a person are stored and wait for a turn."""

    @in_db
    def look() -> bool:
        return Message.objects.filter(author__telegram_id=person, seq__isnull=True).count() >= count

    await eventually(look, f"{count} waiting messages of {person}", 30)


async def at_rest(seconds: float = 60) -> bool:
    """Wait until every update is handled, every turn has ended and no message waits; False if that never comes."""

    @in_db
    def look() -> bool:
        return not (
            Update.objects.filter(handled_at__isnull=True).exists()
            or Turn.objects.filter(state=Turn.State.RUNNING).exists()
            or Message.objects.filter(seq__isnull=True).exists()
        )

    try:
        return await eventually(look, "nothing left to do", seconds)
    except AssertionError:
        return False
