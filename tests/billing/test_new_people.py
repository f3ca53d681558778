"""What somebody new is held to, so that a crowd of accounts costs no more than was meant to be given."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from billing import ledger
from billing.errors import CapReached, InsufficientFunds, TooManyTurns
from billing.models import BalanceOperation
from tests.billing.conftest import person_with
from tests.billing.test_ledger import hold, settle

pytestmark = pytest.mark.django_db


@pytest.fixture
def held_to(settings: Any) -> Any:
    settings.NEW_PERSON_HOURS = 24
    settings.NEW_PERSON_CAP_USD = Decimal("0.10")
    settings.NEW_PERSON_TURNS_MAX = 1
    return settings


def newcomer() -> User:
    user = User.objects.create(first_name="New")
    ledger.grant_starting_credit(user.pk)
    return user


def spend(user: User, amount: str) -> None:
    hold(user, key=f"turn:{user.pk}")
    settle(amount, key=f"turn:{user.pk}")
    ledger.release(f"turn:{user.pk}")


def test_somebody_new_spends_no_more_than_their_cap_in_a_day(held_to: Any):
    user = newcomer()
    spend(user, "0.10")
    with pytest.raises(CapReached):
        hold(user, key="turn:again")


def test_somebody_new_has_fewer_turns_running(held_to: Any):
    user = newcomer()
    hold(user, key="turn:one")
    with pytest.raises(TooManyTurns):
        hold(user, key="turn:two")


@pytest.mark.parametrize("how", ["paid", "older"])
def test_who_paid_or_came_long_ago_is_held_to_nothing_more(how: str, held_to: Any):
    user = person_with("1") if how == "paid" else newcomer()
    if how == "older":
        User.objects.filter(pk=user.pk).update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    hold(user, key="turn:one")
    settle("0.20", key="turn:one")
    hold(user, key="turn:two")


def test_without_such_limits_nobody_is_asked_whether_they_paid(settings: Any, django_assert_num_queries):
    user = newcomer()
    with django_assert_num_queries(3):  # the lock, the holds, the write
        hold(user)


def test_first_credits_of_a_day_are_given_up_to_their_cap_and_the_rest_on_the_next(settings: Any, caplog):
    settings.GRANTS_DAILY_CAP_USD = Decimal("2.50")
    first, second, third = newcomer(), newcomer(), newcomer()
    assert BalanceOperation.objects.filter(kind="grant").count() == 2
    assert "grants_used_up" in caplog.text
    with pytest.raises(InsufficientFunds):
        hold(third)
    for user in (first, second):
        again = ledger.grant_starting_credit(user.pk)
        assert again is not None
        assert again.user_id == user.pk
    settings.GRANTS_DAILY_CAP_USD = Decimal("3.00")  # as it is tomorrow, when today's count no more
    assert ledger.grant_starting_credit(third.pk) is not None


def test_a_crowd_of_twenty_costs_no_more_than_the_day_s_first_credits(settings: Any, held_to: Any):
    settings.GRANTS_DAILY_CAP_USD = Decimal(5)
    crowd = [newcomer() for _ in range(20)]
    spent = Decimal(0)
    for user in crowd:
        for turn in range(20):
            try:
                ledger.hold(
                    user.pk, key=f"t:{user.pk}:{turn}", estimate=Decimal(1), expires_in=timedelta(minutes=1)
                )
            except (CapReached, InsufficientFunds):
                break
            spent += Decimal("0.05")
            key = f"t:{user.pk}:{turn}"
            ledger.settle(key, key=f"{key}:step:0", amount=Decimal("0.05"), details={})
            ledger.release(key)
    assert spent == 5 * Decimal("0.10")
