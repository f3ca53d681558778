"""What each day earned and cost, summed from the rows of the ledger.

Operations are never changed, so the sums of a day that is over are final: they are worked out once and
kept in the cache. A page adds up today only, however large the ledger has become.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.core.cache import cache
from django.db import connection

from billing.models import BookAccount

DAYS = 30
FINAL_AFTER = timedelta(hours=1)  # the longest a transaction that began before midnight may take to commit
KEPT_SECONDS = (DAYS + 2) * 24 * 3600
BOOKS_SECONDS = 60  # how old the sum over the whole ledger may be
KEY = "figures:2:{:%Y-%m-%d}"  # the number changes with the shape of what is kept
BOOKS_KEY = "figures:books:2"
ZERO = Decimal(0)

# What its vendor asks for a charge; older ones, and those without margin or subsidy, say it by their amount.
COST = "COALESCE(operation.cost, -operation.amount)"
DAY = "(operation.created_at AT TIME ZONE 'UTC')::date"
# The kinds stand in the text: only so are the partial indexes used.
CHARGES = """
    FROM billing_balanceoperation AS operation
    WHERE operation.kind IN ('usage', 'tool') AND operation.created_at >= %s AND operation.created_at < %s
"""
BY_MODEL = f"""
    SELECT {DAY}, CASE operation.kind WHEN 'usage' THEN COALESCE(operation.details->>'model', '?') END,
        SUM({COST}), -SUM(operation.amount), COUNT(*) FILTER (WHERE operation.key LIKE 'turn:%%:step:0')
    {CHARGES} GROUP BY 1, 2
"""
PEOPLE = f"SELECT {DAY}, COUNT(DISTINCT operation.user_id) {CHARGES} GROUP BY 1"
# The ledger knows the call by its key, the history of calls its tool's name; the dollars are the ledger's.
BY_TOOL = f"""
    SELECT {DAY}, COALESCE(call.name, '?'), SUM({COST})
    FROM billing_balanceoperation AS operation
    LEFT JOIN tools_toolcall AS call
        ON operation.key = 'turn:' || call.turn_id || ':tool:' || call.call_id
        AND call.started_at >= %s - interval '1 day' AND call.started_at < %s
    WHERE operation.kind = 'tool' AND operation.created_at >= %s AND operation.created_at < %s
    GROUP BY 1, 2
"""  # noqa: S608  only constants are put together
# What nobody was charged for: calls that failed, came late, or were of no use.
ABSORBED = f"""
    SELECT {DAY}, SUM(operation.cost) FROM billing_absorbedcost AS operation
    WHERE operation.created_at >= %s AND operation.created_at < %s GROUP BY 1
"""  # noqa: S608  only constants are put together
# What Telegram pays for the Stars is more than the dollars credited when the owner keeps a margin (k3).
PAID = f"""
    SELECT {DAY}, SUM(SIGN(operation.amount) * COALESCE(payment.stars, 0))::bigint,
        SUM(COALESCE(
            SIGN(operation.amount) * payment.stars * payment.usd_per_star * (1 - payment.k1 - payment.k2),
            operation.amount))
    FROM billing_balanceoperation AS operation
    LEFT JOIN billing_payment AS payment ON payment.id = (operation.details->>'payment')::bigint
    WHERE operation.kind IN ('top_up', 'refund', 'refund_return', 'chargeback')
        AND operation.created_at >= %s AND operation.created_at < %s
    GROUP BY 1
"""  # noqa: S608  only constants are put together


@dataclass(slots=True)
class Figures:
    """One day (UTC): dollars Telegram pays for its Stars less refunds, and what vendors ask for models and tools.

    `absorbed` is the part of the cost that nobody was charged for, `charged` what people were.
    """

    day: date
    stars: int = 0
    revenue: Decimal = ZERO
    cost: Decimal = ZERO
    charged: Decimal = ZERO
    absorbed: Decimal = ZERO
    people: int = 0
    turns: int = 0
    by_model: dict[str, Decimal] = field(default_factory=dict)
    by_tool: dict[str, Decimal] = field(default_factory=dict)

    @property
    def margin(self) -> Decimal:
        return self.revenue - self.cost


@dataclass(frozen=True, slots=True)
class Books:
    """Every account of the books, by name; together they are nothing."""

    accounts: Mapping[str, Decimal]

    @property
    def people(self) -> Decimal:
        return self.accounts["people"]

    @property
    def operator(self) -> Decimal:
        """All accounts that are the operator's."""
        return self.difference - self.people

    @property
    def difference(self) -> Decimal:
        return sum(self.accounts.values(), ZERO)


def last_days(now: datetime) -> list[Figures]:
    """The last DAYS days, oldest first, today the last of them."""
    days = [now.date() - timedelta(days=back) for back in reversed(range(DAYS))]
    kept = {key: _read(text) for key, text in cache.get_many(_keys(days)).items()}
    missing = [day for day in days if KEY.format(day) not in kept]
    counted = _count(missing[0], days[-1])
    final = [day for day in missing if now - _midnight(day + timedelta(days=1)) >= FINAL_AFTER]
    cache.set_many({KEY.format(day): _write(counted[day]) for day in final}, KEPT_SECONDS)
    return [kept.get(KEY.format(day)) or counted[day] for day in days]


def books() -> Books:
    """Does every dollar that people have stand in the operator's account? At most BOOKS_SECONDS old."""
    kept = cache.get(BOOKS_KEY)
    if kept is None:
        kept = {row.account: str(row.amount) for row in BookAccount.objects.all()}
        cache.set(BOOKS_KEY, kept, BOOKS_SECONDS)
    return Books({account: Decimal(amount) for account, amount in kept.items()})


def total(of: Sequence[Mapping[str, Decimal]]) -> list[tuple[str, Decimal]]:
    """Names and their dollars over several days, the dearest first."""
    sums: Counter[str] = Counter()
    for one in of:
        sums.update(one)
    return sorted(((name, Decimal(usd)) for name, usd in sums.items()), key=lambda item: -item[1])


def _keys(days: Sequence[date]) -> list[str]:
    return [KEY.format(day) for day in days]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _count(first: date, last: date) -> dict[date, Figures]:
    """Add up the days from `first` to `last` in five statements, each answered from an index on time."""
    since, until = _midnight(first), _midnight(last + timedelta(days=1))
    found = {day: Figures(day) for day in (first + timedelta(days=n) for n in range((last - first).days + 1))}
    with connection.cursor() as cursor:
        cursor.execute(BY_MODEL, [since, until])
        for day, model, usd, charged, turns in cursor.fetchall():
            found[day].cost += usd
            found[day].charged += charged
            found[day].turns += turns
            if model is not None:
                found[day].by_model[model] = usd
        cursor.execute(BY_TOOL, [since, until, since, until])
        for day, tool, usd in cursor.fetchall():
            found[day].by_tool[tool] = usd
        cursor.execute(ABSORBED, [since, until])
        for day, usd in cursor.fetchall():
            found[day].absorbed = usd
            found[day].cost += usd
        cursor.execute(PEOPLE, [since, until])
        for day, people in cursor.fetchall():
            found[day].people = people
        cursor.execute(PAID, [since, until])
        for day, stars, usd in cursor.fetchall():
            found[day].stars, found[day].revenue = stars, usd
    return found


def _write(figures: Figures) -> str:
    fields: dict[str, Any] = {name: getattr(figures, name) for name in Figures.__slots__}
    return json.dumps(fields, default=str)


def _read(text: str) -> Figures:
    fields = json.loads(text)
    fields["day"] = date.fromisoformat(fields["day"])
    for name in ("revenue", "cost", "charged", "absorbed"):
        fields[name] = Decimal(fields[name])
    for name in ("by_model", "by_tool"):
        fields[name] = {what: Decimal(usd) for what, usd in fields[name].items()}
    return Figures(**fields)
