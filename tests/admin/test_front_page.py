"""The front page's figures: from the ledger's rows, to the cent, and red when the books disagree."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Staff, User
from billing import ledger
from billing.absorbed import absorb
from billing.models import AbsorbedCost, Payment
from telegram_bot import figures
from telegram_bot.curves import Line, drawing, shares
from tests.admin.conftest import at_desk, make_everything
from tools.models import ToolCall

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


def post(person: User, amount: str, kind: str, at: datetime, *, key: str = "", **details: Any) -> None:
    """An operation of another day: behind the ledger's back, which writes today's only."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "INSERT INTO billing_balanceoperation"
            " (user_id, kind, amount, balance_after, key, params_hash, details, reason, created_at)"
            " VALUES (%s, %s, %s, 0, %s, '', %s, '', %s)",
            [person.pk, kind, Decimal(amount), key or str(uuid.uuid4()), json.dumps(details), at],
        )
        cursor.execute("UPDATE accounts_user SET balance = balance + %s WHERE id = %s", [amount, person.pk])
        cursor.execute("SET LOCAL session_replication_role = origin")


def purchase(person: User, k3: str) -> Payment:
    return Payment.objects.create(
        user=person, state="paid", charge_id=str(uuid.uuid4()), stars=100, usd=Decimal("0.52"),
        usd_per_star=Decimal("0.013"), k1=Decimal("0.35"), k2=Decimal("0.15"), k3=Decimal(k3),
        expires_at=NOON, paid_at=NOON,
    )  # fmt: skip


def test_a_days_figures_are_its_operations(anna: User) -> None:
    boris = User.objects.create(telegram_id=7, first_name="Boris")
    at = NOON - timedelta(days=3)
    paid = purchase(anna, k3="0.10")
    post(anna, "0.52", "top_up", at, payment=paid.pk)
    for person, turn in ((anna, 1), (boris, 2), (boris, 3)):
        post(person, "-0.01", "usage", at, key=f"turn:{turn}:step:0", model="claude-haiku-5-5")
    post(boris, "-0.02", "usage", at, key="turn:3:step:1", model="gpt-6.1-sol")
    call = ToolCall.objects.create(
        id=uuid.uuid4(), user=boris, call_id="c1", name="generate_image", status="done", started_at=at
    )
    post(boris, "-0.04", "tool", at, key=f"turn:{call.turn_id}:tool:c1")
    day = figures.last_days(timezone.now())[-4]
    assert day.day == at.date()
    # 100 Stars × $0.013 × (1 − 0.35 − 0.15): the owner's margin is not the person's, yet it is paid.
    assert (day.stars, day.revenue) == (100, Decimal("0.65"))
    assert (day.cost, day.margin, day.people, day.turns) == (Decimal("0.09"), Decimal("0.56"), 2, 3)
    assert day.by_model == {"claude-haiku-5-5": Decimal("0.03"), "gpt-6.1-sol": Decimal("0.02")}


def test_a_days_cost_is_what_vendors_ask_with_what_nobody_was_charged_for(anna: User) -> None:
    ledger.hold(anna.pk, key="turn:1", estimate=Decimal("0.1"), expires_in=timedelta(minutes=5))
    for step, (amount, cost) in enumerate((("0.012", "0.010"), ("0.020", "0.025"), ("0.030", None))):
        ledger.settle(
            "turn:1", key=f"turn:1:step:{step}", amount=Decimal(amount), cost=cost and Decimal(cost),
            details={"model": "m"},
        )  # fmt: skip
    kind = AbsorbedCost.Kind.FAILED
    absorb("turn:1:step:3:failed", user_id=anna.pk, kind=kind, cost=Decimal("0.004"), details={})
    today = figures.last_days(timezone.now())[-1]
    assert (today.charged, today.cost, today.absorbed) == (
        Decimal("0.062"), Decimal("0.069"), Decimal("0.004"),
    )  # fmt: skip
    assert today.by_model == {"m": Decimal("0.065")}
    assert today.margin == 10 - today.cost  # she paid ten


def test_the_front_page_shows_what_was_charged_to_nobody_and_every_account(root: Staff, anna: User) -> None:
    kind = AbsorbedCost.Kind.FAILED
    absorb("turn:1:step:3:failed", user_id=anna.pk, kind=kind, cost=Decimal("0.25"), details={})
    body = at_desk(root).get(reverse("admin:index")).content.decode()
    assert "Charged to nobody today" in body
    assert "people have $10.00, the operator −$10.00" in body
    for account in ("absorbed −$0.25", "vendors $0.25", "stars −$10.00", "margin $0.00"):
        assert account in body, account


def test_what_a_tool_cost_stands_under_its_name(anna: User) -> None:
    turn = make_everything(3, "text")["turn"]
    at = timezone.now()
    ToolCall.objects.create(
        id=uuid.uuid4(), user=anna, turn=turn, call_id="c1", name="generate_image", status="done",
        started_at=at,
    )  # fmt: skip
    post(anna, "-0.04", "tool", at, key=f"turn:{turn.pk}:tool:c1")
    post(anna, "-0.05", "tool", at, key=f"turn:{turn.pk}:tool:c2")  # its history is not written yet
    assert figures.last_days(timezone.now())[-1].by_tool == {
        "generate_image": Decimal("0.04"), "?": Decimal("0.05"),
    }  # fmt: skip


def test_a_refund_takes_its_stars_back(anna: User) -> None:
    paid = purchase(anna, k3="0")
    post(anna, "0.65", "top_up", NOON - timedelta(days=2), payment=paid.pk)
    post(anna, "-0.65", "refund", NOON - timedelta(days=1), payment=paid.pk)
    before, after = figures.last_days(timezone.now())[-3:-1]
    assert (before.stars, before.revenue) == (100, Decimal("0.65"))
    assert (after.stars, after.revenue) == (-100, Decimal("-0.65"))


def test_days_that_are_over_are_added_up_once(anna: User) -> None:
    post(anna, "-0.01", "usage", NOON - timedelta(days=5), key="turn:1:step:0", model="m")
    now = NOON + timedelta(hours=2)
    first = figures.last_days(now)
    with CaptureQueriesContext(connection) as queries:
        assert figures.last_days(now) == first
    assert len(queries) == 5
    assert all(f"'{now:%Y-%m-%d}" in query["sql"] for query in queries)  # from this day on


def test_the_books_agree_until_a_dollar_has_no_other_side(root: Staff, anna: User) -> None:
    body = at_desk(root).get(reverse("admin:index")).content.decode()
    assert "agree" in body
    with connection.cursor() as cursor:  # what no code of ours can do
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE accounts_user SET balance = balance + 0.000000001")
        cursor.execute("SET LOCAL session_replication_role = origin")
    cache.delete(figures.BOOKS_KEY)
    body = at_desk(root).get(reverse("admin:index")).content.decode()
    assert "off by $0.000000001" in body
    assert figures.books().difference == Decimal("0.000000001")


def test_a_curve_reaches_the_top_at_its_most_and_the_ground_at_nothing() -> None:
    days = [NOON.date(), NOON.date() + timedelta(days=1)]
    made: Any = drawing("t", days, [Line("l", "cost", [Decimal(0), Decimal(10)])], str)
    assert made["lines"][0]["points"].split() == ["0.0,160.0", "600.0,0.0"]
    assert made["days"][1]["words"] == ["l: 10"]


def test_a_month_without_anything_is_drawn_too() -> None:
    made: Any = drawing("t", [NOON.date()] * 30, [Line("l", "cost", [Decimal(0)] * 30)], str)
    assert made["lines"][0]["points"].count(",160.0") == 30


def test_small_shares_are_one_row() -> None:
    rows = [("a", Decimal(4)), ("b", Decimal(2)), ("c", Decimal(1)), ("d", Decimal(1))]
    assert shares(rows, 2) == [
        ("a", Decimal(4), "100.0"), ("b", Decimal(2), "50.0"), ("all others", Decimal(2), "50.0"),
    ]  # fmt: skip
