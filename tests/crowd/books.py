"""What became of everything a crowd did: what was lost, doubled, out of order, refused or not paid for."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from django.db.models import F

from config.aio import in_db
from conversations.models import Message, Turn
from telegram_bot.models import Update
from tests.crowd.conftest import Stage
from tests.crowd.model import echo
from tests.crowd.people import Done
from tests.faults import books
from tests.faults.report import percentile
from tests.flows.shown import words

SLOWEST = 0.95


def by_kind(done: Sequence[Done]) -> list[dict[str, Any]]:
    """A row for each thing people did, with the seconds to the whole answer."""
    kinds: defaultdict[str, list[Done]] = defaultdict(list)
    for one in done:
        kinds[one.what].append(one)
    return [
        {
            "what people did": what,
            "times": len(ones),
            "lost": sum(one.seconds is None for one in ones),
            "s median": percentile([one.seconds for one in ones if one.seconds is not None], 0.5),
            "s p95": percentile([one.seconds for one in ones if one.seconds is not None], SLOWEST),
        }
        for what, ones in sorted(kinds.items())
    ]


async def of(stage: Stage, done: Sequence[Done]) -> list[dict[str, Any]]:
    """What is counted when everybody is at rest; each that is named a fault must be 0."""
    statuses = Counter(call.status for call in stage.telegram.calls)
    asked = Counter(request.status for request in stage.claude.requests)
    counts: dict[str, Any] = {
        "updates": await _updates(),
        "messages of people kept": await _messages(),
        "turns": await _turns(),
        "model calls": asked[200],
        "Bot API calls": sum(statuses.values()),
        "FAULT: acts without their answer": sum(one.seconds is None for one in done),
        "FAULT: updates unhandled or dead": await _unhandled(),
        "FAULT: messages not kept or never read": len(await unread(done)),
        "FAULT: albums and pastes in pieces": len(await torn(done)),
        "FAULT: turns not ended, or crashed": await _unended(),
        "FAULT: messages of a person out of order": await _out_of_order(),
        "FAULT: answers out of order": await _answers_out_of_order(),
        "FAULT: answers twice": len(doubled(stage, done)),
        "FAULT: refused by Telegram with 400": statuses[400],
        "FAULT: other refusals by Telegram": sum(statuses.values()) - statuses[200] - statuses[400],
        "FAULT: refused by the model's vendor": sum(asked.values()) - asked[200],
        "FAULT: sums of operations, holds or turns that differ": len(await books.mismatches()),
        "FAULT: holds left open": await books.open_holds_after_the_sweep(),
        "FAULT: tracebacks in the logs": len(stage.bots.crashes) + len(stage.workers.crashes),
    }
    return [{"count": name, "of the run": count} for name, count in counts.items()]


def faults(counts: Sequence[dict[str, Any]]) -> dict[str, int]:
    return {
        row["count"]: row["of the run"] for row in counts if "FAULT" in row["count"] and row["of the run"]
    }


def doubled(stage: Stage, done: Sequence[Done]) -> list[str]:
    """Answers beyond those that were asked for, with all the bot said in answer."""
    said: defaultdict[int, list[str]] = defaultdict(list)
    for room in (*stage.telegram.state.chats.values(), *stage.telegram.state.groups.values()):
        said[room.id] = [words(m)[:80] for m in room.messages.values() if m["from"]["is_bot"]]
    bearing = {one.key: [text for text in said[one.chat] if echo(one.key) in text] for one in done}
    return [f"{one.what}: {bearing[one.key]}" for one in done if len(bearing[one.key]) > max(1, one.answers)]


async def details(stage: Stage, done: Sequence[Done]) -> list[str]:
    """The same faults one by one, for who looks for the reason."""
    return [*missing(done), *await unread(done), *await torn(done), *doubled(stage, done)]


def missing(done: Sequence[Done]) -> list[str]:
    """Which of the things people did came to nothing."""
    return [f"{one.what} {one.key} in {one.chat}" for one in done if one.seconds is None]


@in_db
def _updates() -> int:
    return Update.objects.count()


@in_db
def _messages() -> int:
    return Message.objects.filter(telegram_id__isnull=False).count()


@in_db
def _turns() -> int:
    return Turn.objects.count()


@in_db
def _unhandled() -> int:
    return (Update.objects.filter(handled_at__isnull=True) | Update.objects.exclude(error="")).count()


@in_db
def _unended() -> int:
    running = Turn.objects.filter(state=Turn.State.RUNNING)
    return (running | Turn.objects.filter(failure__in=("crashed", "interrupted", "unreachable"))).count()


@in_db
def unread(done: Sequence[Done]) -> list[str]:
    """Messages that Telegram has and we have not, or that no turn ever took in."""
    kept = Message.objects.filter(telegram_id__isnull=False, seq__isnull=False)
    read = set(kept.values_list("chat__telegram_id", "telegram_id"))
    return [
        f"{one.what}: message {number} unread"
        for one in done
        for number in one.messages
        if (one.chat, number) not in read
    ]


@in_db
def torn(done: Sequence[Done]) -> list[str]:
    """What was sent in one go, and became more than one question."""
    rows = Message.objects.filter(telegram_id__isnull=False, role="user")
    turns = {
        (chat, number): turn
        for chat, number, turn in rows.values_list("chat__telegram_id", "telegram_id", "turn")
    }
    found = []
    for one in done:
        if one.what.endswith(("album", "paste")):
            asked = [turns.get((one.chat, number)) for number in one.messages]
            found += [f"{one.what}: {asked}"] if len(set(asked)) > 1 else []
    return found


@in_db
def _out_of_order() -> int:
    """Messages of one person that stand in another order in their conversation than they were sent in."""
    rows = Message.objects.filter(telegram_id__isnull=False, seq__isnull=False).order_by("thread", "seq")
    last: dict[tuple[int, int | None], int] = {}
    wrong = 0
    for thread, author, number in rows.values_list("thread", "author", "telegram_id"):
        assert number is not None
        wrong += number < last.get((thread, author), 0)
        last[thread, author] = number
    return wrong


@in_db
def _answers_out_of_order() -> int:
    """Answers of one conversation that stand in another order in the chat than their questions."""
    wrong = 0
    last: dict[int, int] = {}
    for thread, sent in Turn.objects.order_by("thread", F("pk")).values_list("thread", "sent"):
        for number in (number for unit in sent for number in unit):
            wrong += number < last.get(thread, 0)
            last[thread] = number
    return wrong
