"""Who works on a turn: leases on the database's clock, renewed, given up, or overdue after a crash."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from conversations.errors import LeaseLost
from conversations.models import Message, Turn

LEASE = timedelta(
    seconds=25
)  # renewed every 10 s; with recovery every 30 s a dead turn is taken up within 60


def lease_end() -> float:
    """When a lease that is taken or renewed from now on may run out, by this process's own clock."""
    return time.monotonic() + LEASE.total_seconds()


def overdue_turns() -> list[int]:
    """Turns whose process is gone, oldest first."""
    overdue = Turn.objects.filter(state=Turn.State.RUNNING, lease_until__lt=Now())
    return list(overdue.order_by("pk").values_list("pk", flat=True))


def threads_left_waiting() -> list[int]:
    """Threads where somebody waits and nothing runs: a process died between one turn and the next."""
    left = Message.objects.filter(seq__isnull=True, role="user", created_at__lt=Now() - LEASE)
    running = Turn.objects.filter(state=Turn.State.RUNNING)
    left = left.exclude(thread__in=running.values("thread"))
    left = left.filter(thread__dead_at__isnull=True, thread__chat__dead_at__isnull=True)
    return list(left.order_by("thread").values_list("thread", flat=True).distinct())


def renew_leases(owner: str, turn_ids: Sequence[int]) -> tuple[set[int], set[int]]:
    """Stay the owner of these turns. Returns those another process has taken and those a person wants stopped."""
    turns = Turn.objects.filter(pk__in=turn_ids)
    turns.filter(state=Turn.State.RUNNING, lease_owner=owner).update(lease_until=Now() + LEASE)
    mine = dict(turns.filter(lease_owner=owner).values_list("pk", "stop_requested"))
    return set(turn_ids) - mine.keys(), {turn for turn, stop in mine.items() if stop}


def release_leases(owner: str) -> None:
    """Going down in good order: whoever comes next may take these turns up at once, and we may not any more."""
    Turn.objects.filter(state=Turn.State.RUNNING, lease_owner=owner).update(lease_owner="", lease_until=Now())


def owned(turn_id: int) -> Turn:
    """The turn with all that its next step needs; call behind a `note` of the same transaction."""
    turns = Turn.objects.select_related("thread", "thread__chat", "user").defer(
        "thread__system", "thread__tools"
    )
    return turns.get(pk=turn_id)


def note(turn_id: int, *, owner: str, **changes: Any) -> None:
    """Write something on a turn that is still ours: what was sent, what failed. Raises LeaseLost."""
    mine = Turn.objects.filter(pk=turn_id, state=Turn.State.RUNNING, lease_owner=owner)
    if not mine.update(**changes):
        raise LeaseLost(f"turn {turn_id}")
