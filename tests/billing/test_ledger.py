"""Movements without a hold, and what holds for every verb: its key, its amount, its price."""

from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from billing import ledger
from billing.errors import AmountUnusable, InsufficientFunds, KeyMisused, LedgerMisused
from tests.billing.conftest import person_with, staff
from tests.billing.verbs import MINUTES, extend, hold, settle, sums

pytestmark = pytest.mark.django_db


# credit, debit, adjust, grant --------------------------------------------------------------------


def test_a_credit_raises_the_balance():
    user = person_with("0")
    operation = ledger.credit(
        user.pk, key="pay:1", amount=Decimal("0.65"), kind="top_up", details={"stars": 100}
    )
    assert operation.balance_after == Decimal("0.65")
    assert sums(user) == (Decimal("0.65"), 0)


@pytest.mark.parametrize("kind", ["usage", "refund", "adjustment", "bribe"])
def test_only_income_is_credited(kind: str):
    with pytest.raises(AmountUnusable):
        ledger.credit(person_with("0").pk, key="k", amount=Decimal(1), kind=kind)


def test_a_debit_takes_only_what_is_available():
    user = person_with("1")
    hold(user, estimate="0.40")
    with pytest.raises(InsufficientFunds):
        ledger.debit(user.pk, key="refund:1", amount=Decimal("0.65"), kind="refund")
    assert sums(user) == (Decimal(1), Decimal("0.40"))
    ledger.release("turn:1")
    assert ledger.debit(user.pk, key="refund:1", amount=Decimal("0.65"), kind="refund").amount == Decimal(
        "-0.65"
    )


def test_a_debit_repeated_is_the_first_one_even_when_nothing_is_available_any_more():
    user = person_with("0.65")
    first = ledger.debit(user.pk, key="refund:1", amount=Decimal("0.65"), kind="refund")
    assert ledger.debit(user.pk, key="refund:1", amount=Decimal("0.65"), kind="refund") == first


def test_a_forced_debit_may_go_below_zero():
    user = person_with("0.10")
    ledger.debit(user.pk, key="refund:1", amount=Decimal("0.65"), kind="chargeback", force=True)
    assert sums(user) == (Decimal("-0.55"), 0)


def test_an_adjustment_goes_either_way_in_the_name_of_staff():
    user, felix = person_with("0"), staff()
    for number, amount in enumerate(("2.5", "-1")):
        operation = ledger.adjust(
            user.pk, key=f"admin:{number}", amount=Decimal(amount), reason=" goodwill ", actor_id=felix.pk
        )
        assert (operation.actor, operation.reason) == (felix, "goodwill")
    assert sums(user) == (Decimal("1.5"), 0)


def test_an_adjustment_without_a_reason_is_refused():
    with pytest.raises(LedgerMisused):
        ledger.adjust(person_with("0").pk, key="k", amount=Decimal(1), reason=" ", actor_id=staff().pk)


def test_the_starting_credit_is_an_operation_and_given_once(limits):
    user = person_with("0")
    first = ledger.grant_starting_credit(user.pk)
    limits.STARTING_BALANCE_USD = Decimal(5)
    assert ledger.grant_starting_credit(user.pk) == first, "also after the setting has changed"
    assert sums(user) == (Decimal(1), 0)


def test_no_starting_credit_is_no_operation(limits):
    limits.STARTING_BALANCE_USD = Decimal(0)
    assert ledger.grant_starting_credit(person_with("0").pk) is None


# keys and amounts --------------------------------------------------------------------------------


def test_the_same_charge_again_changes_nothing_and_returns_the_first():
    user = person_with("1")
    hold(user)
    assert settle("0.03") == settle("0.03")
    assert sums(user) == (Decimal("0.97"), Decimal("0.07"))


def test_the_same_key_with_another_amount_is_loud_and_changes_nothing():
    user = person_with("1")
    hold(user)
    settle("0.03")
    with pytest.raises(KeyMisused):
        settle("0.04")
    with pytest.raises(KeyMisused):
        settle("0.03", kind="tool")
    assert sums(user) == (Decimal("0.97"), Decimal("0.07"))


def test_the_key_of_another_person_is_loud():
    first, second = person_with("0"), person_with("0")
    ledger.credit(first.pk, key="pay:1", amount=Decimal(1), kind="top_up")
    with pytest.raises(KeyMisused):
        ledger.credit(second.pk, key="pay:1", amount=Decimal(1), kind="top_up")
    assert sums(second) == (0, 0)


@pytest.mark.parametrize(
    "amount",
    [Decimal("NaN"), Decimal("-1"), Decimal("Infinity"), Decimal("1e30"), Decimal("1e-10"), 0.5, 1, "1"],
)
def test_what_is_no_amount_of_dollars_is_refused_by_every_verb(amount):
    user = person_with("1")
    hold(user)
    calls = [
        lambda: ledger.hold(user.pk, key="turn:2", estimate=amount, expires_in=MINUTES),
        lambda: ledger.extend("turn:1", needed=amount, expires_in=MINUTES),
        lambda: ledger.settle("turn:1", key="k", amount=amount, details={}),
        lambda: ledger.credit(user.pk, key="k", amount=amount, kind="grant"),
        lambda: ledger.debit(user.pk, key="k", amount=amount, kind="refund"),
    ]
    for call in calls:
        with pytest.raises(AmountUnusable):
            call()
    assert sums(user) == (Decimal(1), Decimal("0.10"))


@pytest.mark.parametrize("amount", [Decimal("NaN"), Decimal(0), Decimal("-Infinity"), Decimal("-1e30"), -0.5])
def test_an_adjustment_by_no_amount_of_dollars_is_refused(amount):
    with pytest.raises(AmountUnusable):
        ledger.adjust(person_with("1").pk, key="k", amount=amount, reason="r", actor_id=staff().pk)


# the price of it ---------------------------------------------------------------------------------


def test_a_refusal_leaves_the_callers_transaction_usable():
    user = person_with("0")
    with transaction.atomic():
        with pytest.raises(InsufficientFunds):
            hold(user)
        ledger.credit(user.pk, key="pay:1", amount=Decimal(1), kind="top_up")
    assert sums(user) == (Decimal(1), 0)


def test_each_verb_takes_at_most_four_statements():
    user = person_with("1")
    verbs = {
        "hold": lambda: hold(user),
        "extend": lambda: extend("0.20"),
        "settle": lambda: settle("0.01"),
        "release": lambda: ledger.release("turn:1"),
        "credit": lambda: ledger.credit(user.pk, key="pay:2", amount=Decimal(1), kind="top_up"),
    }
    counts = {}
    for name, verb in verbs.items():
        with CaptureQueriesContext(connection) as statements:
            verb()
        counts[name] = len(statements)
    assert counts == {"hold": 3, "extend": 3, "settle": 4, "release": 3, "credit": 4}
