"""The admin's front page: how the bot is, and what it earned and cost. Every number is one indexed query."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import redis
from django.db.models import Count, Model, Q, Sum
from django.db.models.functions import TruncDay
from django.http import HttpRequest
from django.utils import timezone
from django.utils.timesince import timesince

from accounts.admin_pages import list_address
from accounts.models import User
from accounts.money import dollars
from billing.models import BalanceOperation, Hold, Payment, UnmatchedTransaction
from conversations import write_behind
from conversations.models import DeadEvent, Turn
from telegram_bot.models import Update

CHART_DAYS = 30
SILENT_AFTER = timedelta(minutes=10)  # no update for so long is worth a look
DEAD_SHOWN = timedelta(days=1)
QUEUE_SECONDS_MAX = 30  # an event that waits longer means that nobody flushes
ZERO = Decimal(0)
Kind = BalanceOperation.Kind
PAID = (Kind.TOP_UP, Kind.REFUND, Kind.REFUND_RETURN, Kind.CHARGEBACK)


@dataclass(frozen=True, slots=True)
class Tile:
    """One number, what it is, and the list it leads to."""

    title: str
    value: str
    note: str = ""
    of: type[Model] | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    alarm: bool = False


def front_page(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's DASHBOARD_CALLBACK: what templates/admin/index.html shows, as far as this person may see it."""
    now = timezone.now()
    context["title"] = "Overview"
    context["groups"] = []
    if request.user.has_perm("conversations.view_turn"):
        tiles = [*_updates(now), *_turns(), _queue(), _dead_events()]
        context["groups"].append({"title": "Now", "tiles": _shown(request, tiles)})
    if request.user.has_perm("billing.view_balanceoperation"):
        spent = _spent_by_day(now)
        tiles = [*_money(now, spent), _people(now)]
        context["groups"].append({"title": "Money and people", "tiles": _shown(request, tiles)})
        context["chart"] = _chart(now, spent)
    return context


def _shown(request: HttpRequest, tiles: Iterable[Tile]) -> list[dict[str, Any]]:
    """Tiles for the template; no link leads where this person may not go."""
    return [
        {
            "title": tile.title,
            "value": tile.value,
            "note": tile.note,
            "alarm": tile.alarm,
            "link": list_address(tile.of, **tile.filters) if tile.of and _may_see(request, tile.of) else "",
        }
        for tile in tiles
    ]


def _may_see(request: HttpRequest, model: type[Model]) -> bool:
    return request.user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}")


# Now ---------------------------------------------------------------------------------------------


def _updates(now: datetime) -> list[Tile]:
    newest = Update.objects.order_by("-update_id").values_list("received_at", flat=True).first()
    last = Tile("Last update", "none yet", of=Update)
    if newest is not None:
        at = f"{newest:%Y-%m-%d %H:%M:%S} UTC"
        last = Tile("Last update", _ago(newest, now), at, Update, alarm=now - newest > SILENT_AFTER)
    waiting = Update.objects.filter(handled_at__isnull=True).count()
    dead = Update.objects.filter(handled_at__gte=now - DEAD_SHOWN, error__gt="").count()
    note = f"{dead or 'none'} given up since yesterday"
    fate = {"fate": "dead" if dead else "waiting"}
    return [last, Tile("Updates waiting", str(waiting), note, Update, fate, alarm=dead > 0)]


def _turns() -> list[Tile]:
    running = Turn.objects.filter(state=Turn.State.RUNNING).count()
    holds = Hold.objects.filter(state=Hold.State.OPEN).aggregate(number=Count("*"), dollars=Sum("amount"))
    held = f"{dollars(holds['dollars'] or ZERO)} set aside"
    return [
        Tile("Running turns", str(running), "", Turn, {"state__exact": "running"}),
        Tile("Open holds", str(holds["number"]), held, Hold, {"state__exact": "open"}),
    ]


def _queue() -> Tile:
    try:
        queue = write_behind.status()
    except redis.RedisError:
        return Tile("Event queue", "unknown", "Redis does not answer", alarm=True)
    oldest = queue["oldest_seconds"]
    note = f"oldest waits {oldest:.0f} s" if queue["length"] else "nothing waits"
    return Tile("Event queue", str(queue["length"]), note, alarm=oldest > QUEUE_SECONDS_MAX)


def _dead_events() -> Tile:
    dead = DeadEvent.objects.count()
    return Tile("Dead events", str(dead), of=DeadEvent, alarm=dead > 0)


def _ago(moment: datetime, now: datetime) -> str:
    if now - moment < timedelta(minutes=1):
        return f"{max(0, int((now - moment).total_seconds()))} s ago"
    return f"{timesince(moment, now, depth=1)} ago"


# Money and people --------------------------------------------------------------------------------


def _spent_by_day(now: datetime) -> Mapping[date, Decimal]:
    """Dollars charged on each of the last days; answered from the index of the daily caps alone."""
    rows = (
        BalanceOperation.objects.filter(
            kind__in=BalanceOperation.CHARGES, created_at__gte=_midnight(now) - timedelta(days=CHART_DAYS - 1)
        )
        .order_by()
        .annotate(day=TruncDay("created_at"))
        .values("day")
        .annotate(dollars=-Sum("amount"))
    )
    return {row["day"].date(): row["dollars"] for row in rows}


def _money(now: datetime, spent: Mapping[date, Decimal]) -> list[Tile]:
    revenue = _paid_since(_midnight(now))
    usage = spent.get(now.date(), ZERO)
    return [
        Tile("Paid in today", dollars(revenue), "top-ups less refunds", BalanceOperation),
        Tile("Used today", dollars(usage), "models and tools, as charged", BalanceOperation),
        *_to_look_at(),
    ]


def _to_look_at() -> list[Tile]:
    """What went another way than it should with Stars."""
    flagged = Payment.objects.filter(flagged=True).count()
    unmatched = UnmatchedTransaction.objects.filter(settled_at__isnull=True).count()
    return [
        Tile("Flagged payments", str(flagged), "", Payment, {"flagged__exact": "1"}, alarm=flagged > 0),
        Tile("Unmatched Stars", str(unmatched), "", UnmatchedTransaction, {"settled": "no"}, unmatched > 0),
    ]


def _paid_since(moment: datetime) -> Decimal:
    paid = BalanceOperation.objects.filter(kind__in=PAID, created_at__gte=moment).order_by()
    return paid.aggregate(dollars=Sum("amount"))["dollars"] or ZERO


def _people(now: datetime) -> Tile:
    week = BalanceOperation.objects.filter(
        kind__in=BalanceOperation.CHARGES, created_at__gte=now - timedelta(days=7)
    ).order_by()
    people = week.aggregate(
        week=Count("user", distinct=True),
        today=Count("user", distinct=True, filter=Q(created_at__gte=_midnight(now))),
    )
    note = f"{people['week']} in 7 days"
    return Tile("People answered today", str(people["today"]), note, User)


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _chart(now: datetime, spent: Mapping[date, Decimal]) -> dict[str, str]:
    """What unfold's bar chart reads: the days, and their dollars as text, for a float would be another number."""
    days = [now.date() - timedelta(days=back) for back in reversed(range(CHART_DAYS))]
    series = {
        "label": "Dollars",
        "data": [f"{spent.get(day, ZERO):f}" for day in days],
        "backgroundColor": "var(--color-primary-600)",
    }
    total = dollars(sum((spent.get(day, ZERO) for day in days), ZERO))
    return {
        "title": f"Used in the last {CHART_DAYS} days: {total}",
        "data": json.dumps({"labels": [f"{day:%b %-d}" for day in days], "datasets": [series]}),
    }
