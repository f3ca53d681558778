"""The admin's front page: how the bot is, and what it earned and cost. Money comes from the ledger's rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import redis
from django.db.models import Count, Model, Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.timesince import timesince

from accounts.admin_pages import list_address
from accounts.models import User
from accounts.money import cost_dollars, dollars, exact_dollars
from billing.models import AbsorbedCost, BalanceOperation, Hold, Payment, PriceProposal, UnmatchedTransaction
from conversations import write_behind
from conversations.models import DeadEvent, Turn
from telegram_bot import figures
from telegram_bot.curves import Line, drawing, shares
from telegram_bot.figures import Figures, total
from telegram_bot.models import Update

SILENT_AFTER = timedelta(minutes=10)  # no update for so long is worth a look
DEAD_SHOWN = timedelta(days=1)
QUEUE_SECONDS_MAX = 30  # an event that waits longer means that nobody flushes
ZERO = Decimal(0)
SHARES_MAX = 8  # models or tools named; what the others cost is one row


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
        days = figures.last_days(now)
        context["groups"].append({"title": "Today", "tiles": _shown(request, _money(days))})
        context["curves"], context["shares"] = _curves(days), _shares(days)
        context["days"] = figures.DAYS
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
    held = f"{cost_dollars(holds['dollars'] or ZERO)} set aside"
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


def _money(days: Sequence[Figures]) -> list[Tile]:
    """Today beside yesterday, and whether the books agree."""
    yesterday, today = days[-2], days[-1]
    return [
        Tile("Revenue today", dollars(today.revenue), _paid(today, yesterday), Payment),
        Tile(
            "Cost today",
            cost_dollars(today.cost),
            f"yesterday {cost_dollars(yesterday.cost)}",
            BalanceOperation,
        ),
        Tile("Charged today", dollars(today.charged), f"yesterday {dollars(yesterday.charged)}"),
        _absorbed(today, yesterday),
        Tile("Margin today", dollars(today.margin), f"yesterday {dollars(yesterday.margin)}"),
        Tile("People active today", str(today.people), f"yesterday {yesterday.people}", User),
        Tile("Turns answered today", str(today.turns), f"yesterday {yesterday.turns}", Turn),
        _books(),
        *_to_look_at(),
    ]


def _absorbed(today: Figures, yesterday: Figures) -> Tile:
    """What vendors ask beyond what people were charged, call by call: the operator's own."""
    note = f"yesterday {dollars(yesterday.absorbed)}; in the cost above"
    return Tile("Charged to nobody today", dollars(today.absorbed), note, AbsorbedCost)


def _to_look_at() -> list[Tile]:
    """What went another way than it should with Stars, and prices that wait to be approved."""
    flagged = Payment.objects.filter(flagged=True).count()
    unmatched = UnmatchedTransaction.objects.filter(settled_at__isnull=True).count()
    proposed = PriceProposal.objects.filter(state=PriceProposal.State.WAITING).count()
    return [
        Tile("Proposed prices", str(proposed), "", PriceProposal, {"state__exact": "waiting"}, proposed > 0),
        Tile("Flagged payments", str(flagged), "", Payment, {"flagged__exact": "1"}, alarm=flagged > 0),
        Tile("Unmatched Stars", str(unmatched), "", UnmatchedTransaction, {"settled": "no"}, unmatched > 0),
    ]


def _paid(today: Figures, yesterday: Figures) -> str:
    return f"{today.stars:,} Stars; yesterday {dollars(yesterday.revenue)}, {yesterday.stars:,} Stars"


def _books() -> Tile:
    """All balances and the operator's account are nothing, or something is badly wrong."""
    books = figures.books()
    # Rounded each its way, two sums that agree read the same.
    own = ", ".join(f"{name} {dollars(usd)}" for name, usd in books.accounts.items() if name != "people")
    note = f"people have {dollars(books.people)}, the operator {cost_dollars(books.operator)}: {own}"
    if books.difference:
        return Tile("Books", f"off by {exact_dollars(books.difference)}", note, alarm=True)
    return Tile("Books", "agree", note)


def _curves(days: Sequence[Figures]) -> list[dict[str, object]]:
    dates = [day.day for day in days]
    revenue, cost = sum((day.revenue for day in days), ZERO), sum((day.cost for day in days), ZERO)
    money = [
        Line("Revenue", "revenue", [day.revenue for day in days]),
        Line("Cost", "cost", [day.cost for day in days]),
        Line("Margin", "margin", [day.margin for day in days]),
    ]
    stars = [Line("Stars", "revenue", [Decimal(day.stars) for day in days])]
    turns = [Line("Turns", "revenue", [Decimal(day.turns) for day in days])]
    people = [Line("People", "revenue", [Decimal(day.people) for day in days])]
    title = f"{dollars(revenue)} earned, {cost_dollars(cost)} spent, {dollars(revenue - cost)} kept"
    return [
        drawing(title, dates, money, dollars),
        drawing(f"{sum(day.stars for day in days):,} Stars", dates, stars, _whole),
        drawing(f"{sum(day.turns for day in days):,} turns answered", dates, turns, _whole),
        drawing("People active", dates, people, _whole),
    ]


def _whole(number: Decimal) -> str:
    return f"{number:,.0f}"


def _shares(days: Sequence[Figures]) -> list[dict[str, object]]:
    by_model, by_tool = total([day.by_model for day in days]), total([day.by_tool for day in days])
    return [
        {
            "title": title,
            "rows": [
                {"name": name, "value": cost_dollars(usd), "percent": percent}
                for name, usd, percent in shares(rows, SHARES_MAX)
            ],
        }
        for title, rows in (("Cost by model", by_model), ("Cost by paid tool", by_tool))
    ]
