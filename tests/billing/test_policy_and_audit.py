"""Who may spend, by a look; and the audit that stops spending when the sums disagree."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from accounts.models import User
from billing import ledger, tasks
from billing.audit import Mismatch, audit
from billing.errors import SpendingBlocked
from billing.models import Hold
from billing.policy import BalanceCheck, can_make_request, can_use_paid_tool
from config.celery import app
from tests.billing.conftest import person_with

pytestmark = pytest.mark.django_db

MINUTES = timedelta(minutes=5)
FREE, PAID = Decimal(0), Decimal("0.01")


def hold(user: User, estimate: str = "0.10", expires_in: timedelta = MINUTES) -> Hold:
    return ledger.hold(user.pk, key="turn:1", estimate=Decimal(estimate), expires_in=expires_in)


# The policy --------------------------------------------------------------------------------------


def test_a_person_with_a_balance_may_make_a_request():
    user = person_with("1")
    assert can_make_request(user.pk) == BalanceCheck(True, Decimal(1), "ledger")


def test_a_person_who_used_everything_up_may_not():
    assert can_make_request(person_with("-0.2").pk) == BalanceCheck(
        False, Decimal("-0.2"), "ledger", "no_funds"
    )


def test_a_person_whose_balance_is_all_held_may_not_start_another():
    user = person_with("0.10")
    hold(user)
    assert can_make_request(user.pk).reason == "no_funds"


@pytest.mark.parametrize("cached", ["0", "-1", "-Infinity"])
def test_a_cached_balance_says_a_quick_no_without_asking_the_ledger(cached: str, django_assert_num_queries):
    user = person_with("1")
    with django_assert_num_queries(0):
        check = can_make_request(user.pk, cached_balance=Decimal(cached))
    assert check == BalanceCheck(False, Decimal(cached), "cache", "no_funds")


def test_a_cached_balance_never_says_yes():
    user = person_with("-1")
    assert can_make_request(user.pk, cached_balance=Decimal(100)) == BalanceCheck(
        False, Decimal(-1), "ledger", "no_funds"
    )


def test_free_tools_always_run_and_paid_ones_only_above_zero():
    rich, poor = person_with("0.000000001"), person_with("0")
    assert can_use_paid_tool(rich.pk, PAID)
    assert can_use_paid_tool(poor.pk, FREE)
    assert not can_use_paid_tool(poor.pk, PAID)


def test_the_turns_own_hold_does_not_refuse_it_a_tool():
    user = person_with("0.10")
    hold(user)
    assert can_use_paid_tool(user.pk, PAID)


# The audit ---------------------------------------------------------------------------------------


def set_behind_our_back(user: User, **sums: Decimal) -> None:
    """What a restored backup may look like: the triggers were not asked."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE accounts_user DISABLE TRIGGER balance_follows")
        User.objects.filter(pk=user.pk).update(**sums)
        cursor.execute("ALTER TABLE accounts_user ENABLE TRIGGER balance_follows")


def test_sums_that_agree_are_no_news():
    user = person_with("1")
    hold(user)
    person_with("-1")
    assert audit() == []
    assert not User.objects.filter(spending_blocked_at__isnull=False).exists()


def test_a_balance_that_is_not_the_sum_of_its_operations_alerts_and_blocks_and_is_not_mended(caplog):
    user, other = person_with("1"), person_with("1")
    set_behind_our_back(user, balance=Decimal(7))
    assert audit() == [Mismatch(user.pk, Decimal(7), Decimal(1), Decimal(0), Decimal(0))]
    assert "ledger_mismatch" in caplog.text
    user.refresh_from_db()
    assert user.balance == 7
    with pytest.raises(SpendingBlocked):
        hold(user)
    assert can_make_request(user.pk).reason == "spending_blocked"
    assert not can_use_paid_tool(user.pk, PAID)
    assert can_make_request(other.pk).allowed


def test_a_held_sum_that_is_not_that_of_the_open_holds_alerts_too():
    user = person_with("1")
    hold(user)
    set_behind_our_back(user, held=Decimal("0.3"))
    assert [(found.held, found.holds) for found in audit()] == [(Decimal("0.3"), Decimal("0.10"))]


def test_a_person_already_blocked_keeps_the_time_it_was_found():
    user = person_with("1")
    set_behind_our_back(user, balance=Decimal(7))
    audit()
    first = User.objects.get(pk=user.pk).spending_blocked_at
    assert len(audit()) == 1
    assert User.objects.get(pk=user.pk).spending_blocked_at == first


# What Celery calls -------------------------------------------------------------------------------


def test_the_tasks_sweep_and_audit():
    user = person_with("1")
    hold(user, expires_in=timedelta(seconds=-1))
    assert tasks.expire_holds() == 1
    set_behind_our_back(user, balance=Decimal(7))
    assert tasks.audit_ledger() == 1


def test_beat_calls_tasks_that_exist():
    app.finalize()
    planned = {
        entry["task"] for entry in app.conf.beat_schedule.values() if entry["task"].startswith("billing.")
    }
    assert planned == {
        "billing.tasks.expire_holds",
        "billing.tasks.audit_ledger",
        "billing.tasks.prune_orders",
    }
    assert planned <= set(app.tasks)
