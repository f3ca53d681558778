"""Spending through a hold: hold, extend, settle, release, one behaviour at a time."""

from decimal import Decimal

import pytest
from django.db import transaction

from accounts.models import User
from billing import ledger
from billing.errors import (
    AmountUnusable,
    CapReached,
    HoldClosed,
    HoldUnknown,
    InsufficientFunds,
    KeyMisused,
    SpendingBlocked,
    TooManyTurns,
)
from billing.models import BalanceOperation, Hold
from tests.billing.conftest import person_with
from tests.billing.verbs import MINUTES, OVERDUE, extend, hold, settle, sums

pytestmark = pytest.mark.django_db


# hold --------------------------------------------------------------------------------------------


def test_a_hold_takes_the_estimate_out_of_what_is_available():
    user = person_with("1")
    assert hold(user, estimate="0.10").amount == Decimal("0.10")
    assert sums(user) == (Decimal(1), Decimal("0.10"))


def test_a_hold_takes_all_there_is_when_the_estimate_is_more():
    user = person_with("0.04")
    assert hold(user, estimate="0.10").amount == Decimal("0.04")
    assert user.operations.count() == 1


def test_a_hold_never_passes_the_turn_cap():
    assert hold(person_with("9"), estimate="3").amount == Decimal("0.50")


def test_without_a_turn_cap_a_hold_takes_the_whole_estimate(limits):
    limits.TURN_CAP_USD = Decimal(0)
    assert hold(person_with("9"), estimate="3").amount == Decimal(3)


@pytest.mark.parametrize("balance", ["0", "-0.000000001"])
def test_a_turn_starts_only_with_something_available(balance: str):
    user = person_with(balance)
    with pytest.raises(InsufficientFunds):
        hold(user)
    assert not Hold.objects.exists()


def test_a_second_turn_is_refused_while_the_first_holds_everything():
    user = person_with("0.10")
    hold(user)
    with pytest.raises(InsufficientFunds) as refused:
        hold(user, key="turn:2")
    assert (refused.value.balance, refused.value.held) == (Decimal("0.10"), Decimal("0.10"))


def test_as_many_turns_run_at_once_as_the_setting_says():
    user = person_with("9")
    for number in range(3):
        hold(user, key=f"turn:{number}")
    with pytest.raises(TooManyTurns):
        hold(user, key="turn:3")
    ledger.release("turn:0")
    assert hold(user, key="turn:3").state == Hold.State.OPEN


def test_a_person_whose_sums_disagree_starts_nothing():
    user = person_with("1")
    User.objects.update(spending_blocked_at="2026-11-23T00:00Z")
    with pytest.raises(SpendingBlocked):
        hold(user)


def test_the_daily_cap_of_a_person_counts_what_they_spent_today(limits):
    limits.DAILY_CAP_USD = Decimal("0.05")
    user, other = person_with("1"), person_with("1")
    hold(user)
    settle("0.05")
    with pytest.raises(CapReached):
        hold(user, key="turn:2")
    assert hold(other, key="turn:3").state == Hold.State.OPEN


def test_the_daily_cap_of_the_bot_counts_what_everybody_spent_today(limits):
    limits.BOT_DAILY_CAP_USD = Decimal("0.05")
    hold(person_with("1"))
    settle("0.05")
    with pytest.raises(CapReached):
        hold(person_with("1"), key="turn:2")


def test_holding_again_under_one_key_renews_the_hold_and_takes_nothing_more():
    user = person_with("1")
    first = hold(user)
    again = hold(user, estimate="0.30", expires_in=2 * MINUTES)
    assert (again.pk, again.amount) == (first.pk, first.amount)
    assert again.expires_at > first.expires_at
    assert sums(user) == (Decimal(1), Decimal("0.10"))


def test_a_turn_taken_up_again_holds_anew_what_its_expired_hold_gave_back():
    user = person_with("1")
    hold(user, expires_in=OVERDUE)
    settle("0.02")
    ledger.expire_holds()
    assert hold(user, estimate="0.07").amount == Decimal("0.07")
    assert sums(user) == (Decimal("0.98"), Decimal("0.07"))


def test_a_hold_opened_anew_still_counts_what_its_turn_spent_against_the_turn_cap():
    user = person_with("9")
    hold(user, estimate="0.45")
    settle("0.45")
    ledger.release("turn:1")
    assert hold(user, estimate="0.45").amount == Decimal("0.05")


def test_a_hold_with_the_key_of_another_person_is_loud():
    hold(person_with("1"))
    with pytest.raises(KeyMisused):
        hold(person_with("1"))


# extend ------------------------------------------------------------------------------------------


def test_extend_leaves_what_is_needed_and_no_more():
    user = person_with("1")
    hold(user, estimate="0.10")
    assert extend("0.30") == Decimal("0.30")
    assert extend("0.20") == Decimal("0.30"), "what is there already is not taken back"
    assert sums(user) == (Decimal(1), Decimal("0.30"))


def test_extend_stops_at_the_turn_cap_spent_money_included():
    user = person_with("9")
    hold(user, estimate="0.40")
    settle("0.40")
    assert extend("0.30") == Decimal("0.10")
    settle("0.10", step=1)
    assert extend("0.30") == 0


def test_extend_goes_below_zero_to_the_overdraft_limit():
    user = person_with("0.10")
    hold(user)
    assert extend("0.50") == Decimal("0.35")
    user.refresh_from_db()
    assert user.available == Decimal("-0.25")
    assert Hold.objects.get().overdraft


def test_a_strict_ledger_never_goes_below_zero(limits):
    limits.OVERDRAFT_LIMIT_USD = Decimal(0)
    user = person_with("0.10")
    hold(user)
    assert extend("0.50") == Decimal("0.10")
    assert not Hold.objects.get().overdraft


def test_only_one_open_turn_of_a_person_may_go_below_zero():
    user = person_with("0.10")
    hold(user, key="turn:1", estimate="0.05")
    hold(user, key="turn:2", estimate="0.05")
    assert extend("0.20", key="turn:1") == Decimal("0.20")
    assert extend("0.20", key="turn:2") == Decimal("0.05")
    ledger.release("turn:1")
    assert extend("0.20", key="turn:2") == Decimal("0.20"), "its turn has come"


def test_the_limit_is_for_the_person_however_often_a_turn_extends():
    user = person_with("0.10")
    hold(user)
    settle(str(extend("0.50")))
    assert extend("0.50") == 0
    assert sums(user) == (Decimal("-0.25"), 0)


def test_extend_opens_a_hold_that_the_sweeper_closed_meanwhile():
    user = person_with("1")
    hold(user, expires_in=OVERDUE)
    ledger.expire_holds()
    assert sums(user) == (Decimal(1), 0)
    assert extend("0.20") == Decimal("0.20")
    assert Hold.objects.get().state == Hold.State.OPEN
    assert sums(user) == (Decimal(1), Decimal("0.20"))


def test_extend_gives_nothing_more_to_a_person_whose_sums_disagree():
    user = person_with("1")
    hold(user)
    User.objects.update(spending_blocked_at="2026-11-23T00:00Z")
    assert extend("0.20") == Decimal("0.10")


def test_a_turn_that_is_over_spends_no_more():
    hold(person_with("1"))
    ledger.release("turn:1")
    with pytest.raises(HoldClosed):
        extend("0.20")


# settle ------------------------------------------------------------------------------------------


def test_settle_charges_and_takes_it_out_of_the_hold():
    user = person_with("1")
    hold(user)
    charge = settle("0.03")
    assert (charge.amount, charge.balance_after, charge.kind) == (Decimal("-0.03"), Decimal("0.97"), "usage")
    assert sums(user) == (Decimal("0.97"), Decimal("0.07"))
    mine = Hold.objects.get()
    assert (mine.amount, mine.spent, mine.state) == (Decimal("0.07"), Decimal("0.03"), "open")


def test_settle_charges_more_than_was_held_and_the_hold_stops_at_zero():
    user = person_with("0.10")
    hold(user)
    settle("0.12")
    assert sums(user) == (Decimal("-0.02"), 0)


def test_nothing_used_is_no_operation():
    user = person_with("1")
    hold(user)
    assert settle("0") is None
    assert user.operations.count() == 1


@pytest.mark.parametrize("close", [ledger.expire_holds, lambda: ledger.release("turn:1")])
def test_settling_late_charges_exactly_once_and_held_stays_right(close):
    user = person_with("1")
    hold(user, expires_in=OVERDUE)
    close()
    first, again = settle("0.03"), settle("0.03")
    assert first == again
    assert sums(user) == (Decimal("0.97"), 0)


def test_details_keep_decimals_as_strings():
    hold(person_with("1"))
    details = {"rates": {"input": Decimal("0.100")}, "tokens": 12}
    ledger.settle("turn:1", key="k", amount=Decimal("0.01"), details=details)
    assert BalanceOperation.objects.get(key="k").details == {"rates": {"input": "0.100"}, "tokens": 12}


def test_a_float_among_the_details_is_refused():
    user = person_with("1")
    hold(user)
    with pytest.raises(TypeError, match="float"), transaction.atomic():
        ledger.settle("turn:1", key="k", amount=Decimal("0.01"), details={"rates": [{"input": 0.1}]})
    assert sums(user) == (Decimal(1), Decimal("0.10"))


def test_only_usage_and_tools_are_charged_through_a_hold():
    hold(person_with("1"))
    with pytest.raises(AmountUnusable):
        settle("0.01", kind="grant")


def test_settling_through_a_hold_that_never_was_is_loud():
    with pytest.raises(HoldUnknown):
        settle("0.01")


# release and expire ------------------------------------------------------------------------------


def test_release_gives_back_what_is_left_once():
    user = person_with("1")
    hold(user)
    settle("0.03")
    ledger.release("turn:1")
    ledger.release("turn:1")
    assert sums(user) == (Decimal("0.97"), 0)
    assert Hold.objects.get().state == Hold.State.SETTLED


def test_a_hold_through_which_nothing_was_charged_is_released():
    hold(person_with("1"))
    ledger.release("turn:1")
    assert Hold.objects.get().state == Hold.State.RELEASED


def test_releasing_a_hold_never_made_does_nothing():
    ledger.release("turn:1")
    assert not Hold.objects.exists()


def test_the_sweeper_closes_overdue_holds_by_the_databases_clock():
    user = person_with("1")
    hold(user, key="turn:1", expires_in=OVERDUE)
    hold(user, key="turn:2", expires_in=OVERDUE)
    hold(user, key="turn:3")
    assert ledger.expire_holds() == 2
    assert ledger.expire_holds() == 0
    assert sums(user) == (Decimal(1), Decimal("0.10"))
