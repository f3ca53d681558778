"""Double entry: every account and what stands in it, by the view, and what the operator absorbs."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from billing import ledger
from billing.absorbed import absorb
from billing.models import AbsorbedCost, BookAccount
from tests.billing.conftest import person_with, staff
from tests.billing.test_ledger import hold

pytestmark = pytest.mark.django_db


def books() -> dict[str, Decimal]:
    return {row.account: row.amount for row in BookAccount.objects.all()}


def settle(amount: str, **more: Any) -> None:
    ledger.settle("turn:1", key=f"turn:1:{uuid4()}", amount=Decimal(amount), details={}, **more)


def test_empty_books_are_all_zero():
    assert set(books().values()) == {Decimal(0)}
    assert set(books()) == {"people", "stars", "given", "vendors", "margin", "absorbed"}


def test_each_movement_has_its_two_sides_and_all_accounts_together_are_nothing():
    anna = person_with("0.65")  # for Stars
    ledger.grant_starting_credit(anna.pk)
    ledger.adjust(anna.pk, key="admin:1", amount=Decimal("-0.15"), reason="a test", actor_id=staff().pk)
    hold(anna)
    settle("0.11", cost=Decimal("0.10"))  # a margin
    settle("0.02", cost=Decimal("0.025"))  # a subsidy
    settle("0.04", kind="tool")  # as it is
    absorb("x", user_id=anna.pk, kind=AbsorbedCost.Kind.FAILED, cost=Decimal("0.003"), details={})
    assert books() == {
        "people": Decimal("1.33"),
        "stars": Decimal("-0.65"),
        "given": Decimal("-0.85"),
        "vendors": Decimal("0.168"),
        "margin": Decimal("0.005"),
        "absorbed": Decimal("-0.003"),
    }
    assert sum(books().values()) == 0


def test_a_dollar_from_nowhere_is_seen_to_the_billionth():
    person_with("1")
    with connection.cursor() as cursor:  # what no code of ours can do
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE accounts_user SET balance = balance + 0.000000001")
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert sum(books().values()) == Decimal("0.000000001")


def test_a_cost_is_absorbed_once_per_key_and_never_when_it_was_charged():
    anna = person_with("1")
    hold(anna)
    mine = {"model": "m", "usage": {"input": 3}}
    ledger.settle("turn:1", key="turn:1:step:0", amount=Decimal("0.01"), details=mine)

    def book(key: str, details: Any = mine, cost: str = "0.01", charged_as: str = "") -> None:
        kind = AbsorbedCost.Kind.LATE
        absorb(key, user_id=anna.pk, kind=kind, cost=Decimal(cost), details=details, charged_as=charged_as)

    book("mine", charged_as="turn:1:step:0")  # our own commit, whose answer got lost
    book("nothing", cost="0")
    assert not AbsorbedCost.objects.exists()
    book("late", {**mine, "usage": {"input": 4}}, charged_as="turn:1:step:0")  # another's is there
    book("late", {**mine, "usage": {"input": 4}}, charged_as="turn:1:step:0")
    book("alone", charged_as="turn:9:step:0")
    assert set(AbsorbedCost.objects.values_list("key", flat=True)) == {"late", "alone"}


def test_an_absorbed_cost_is_never_changed():
    absorb("x", user_id=person_with("1").pk, kind=AbsorbedCost.Kind.LATE, cost=Decimal(1), details={})
    for statement in ("UPDATE billing_absorbedcost SET cost = 2", "DELETE FROM billing_absorbedcost"):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            connection.cursor().execute(statement)


@pytest.mark.parametrize(("kind", "cost"), [("grant", "0.1"), ("usage", "-0.1"), ("usage", "NaN")])
def test_only_a_charge_has_a_cost_and_a_sane_one(kind: str, cost: str):
    anna = person_with("1")
    hold(anna)
    with pytest.raises(IntegrityError, match="operation_cost_is_of_a_charge"), transaction.atomic():
        connection.cursor().execute(
            "INSERT INTO billing_balanceoperation"
            " (user_id, kind, amount, balance_after, cost, key, params_hash, details, reason, created_at)"
            " VALUES (%s, %s, %s, 0, %s, 'k', '', '{}', '', now())",
            [anna.pk, kind, "0.1" if kind == "grant" else "-0.1", cost],
        )
