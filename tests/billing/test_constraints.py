"""What PostgreSQL itself refuses, whoever asks: a shell, a fixture, an admin form, a bug of ours."""

import importlib
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.db.models.functions import Now

from accounts.models import User
from billing import ledger
from billing.models import BalanceOperation, Hold, Payment, Price, StarRate
from tests.billing.conftest import person_with, staff

pytestmark = pytest.mark.django_db

MINUTES = timedelta(minutes=5)
RATES = dict.fromkeys(("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"), Decimal(1))


def refused(make, **fields: Any) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        make(**fields)


# Operations --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda: BalanceOperation.objects.update(amount=Decimal(5)),
        lambda: BalanceOperation.objects.filter(amount__lt=0).update(reason="nobody will see"),
        lambda: BalanceOperation.objects.get().save(),
        lambda: BalanceOperation.objects.get().delete(),
        lambda: BalanceOperation.objects.all().delete(),
        lambda: connection.cursor().execute("DELETE FROM billing_balanceoperation"),
    ],
)
def test_an_operation_is_never_changed_and_never_deleted(change):
    person_with("1")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        change()
    assert BalanceOperation.objects.get().amount == 1


def test_the_operations_cannot_be_emptied_in_one_sweep(transactional_db):
    """In a database by any other name than a test's: the very SQL of the migration, on an empty table."""
    migration = importlib.import_module("billing.migrations.0002_append_only")
    params = connection.get_connection_params() | {"cursor_factory": None, "autocommit": True}
    with psycopg.connect(**params) as admin:
        admin.execute('DROP DATABASE IF EXISTS "sweep"')
        admin.execute('CREATE DATABASE "sweep"')
    try:
        with psycopg.connect(**params | {"dbname": "sweep"}) as sweep:
            sweep.execute("CREATE TABLE billing_balanceoperation (id bigint)")
            sweep.execute(migration.KEEP_OPERATIONS)
            with pytest.raises(psycopg.errors.RestrictViolation, match="append-only: TRUNCATE"):
                sweep.execute("TRUNCATE billing_balanceoperation")
    finally:
        with psycopg.connect(**params) as admin:
            admin.execute('DROP DATABASE "sweep"')


@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        ("usage", "1"),
        ("tool", "0.000000001"),
        ("refund", "1"),
        ("chargeback", "1"),
        ("gift_out", "1"),
        ("grant", "-1"),
        ("top_up", "-1"),
        ("refund_return", "-1"),
        ("gift_in", "-1"),
        ("usage", "0"),
        ("grant", "0"),
        ("top_up", "NaN"),
        ("bribe", "1"),
    ],
)
def test_an_operation_of_the_wrong_sign_is_refused(kind: str, amount: str):
    user = person_with("0")
    with pytest.raises(IntegrityError, match="operation_sign_fits_its_kind"), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_balanceoperation"
            " (user_id, kind, amount, balance_after, key, params_hash, details, reason)"
            " VALUES (%s, %s, %s, 0, 'k', '', '{}', '')",
            [user.pk, kind, amount],
        )


def test_an_operation_by_hand_without_a_reason_or_an_actor_is_refused():
    fields = {
        "user": person_with("0"),
        "kind": "adjustment",
        "amount": Decimal(1),
        "balance_after": 1,
        "key": "k",
    }
    refused(BalanceOperation.objects.create, **fields, reason="why", actor=None)
    refused(BalanceOperation.objects.create, **fields, reason="", actor=staff())


def test_an_operation_without_a_key_is_refused():
    fields = {"user": person_with("0"), "kind": "grant", "amount": Decimal(1), "balance_after": 1}
    refused(BalanceOperation.objects.create, **fields, key="")
    refused(BalanceOperation.objects.create, **fields, key=None)


def test_a_person_with_money_rows_cannot_be_deleted():
    user = person_with("1")
    with pytest.raises(ProtectedError):
        user.delete()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(IntegrityError, match="foreign key"):
            cursor.execute("DELETE FROM accounts_user")


# Balances ----------------------------------------------------------------------------------------


def test_a_balance_can_only_be_what_the_last_operation_left():
    user = person_with("1")
    refused(User.objects.filter(pk=user.pk).update, balance=Decimal(5))
    refused(User.objects.create, balance=Decimal(5))


def test_a_person_read_before_a_charge_and_saved_whole_after_it_undoes_nothing():
    user = person_with("1")
    ledger.hold(user.pk, key="turn:1", estimate=Decimal("0.1"), expires_in=MINUTES)
    ledger.settle("turn:1", key="turn:1:step:0", amount=Decimal("0.1"), details={})
    user.first_name = "Annabel"
    user.save()
    user.refresh_from_db()
    assert (user.first_name, user.balance) == ("Annabel", Decimal("0.9"))


def test_a_balance_that_no_operation_left_is_refused():
    user = person_with("1")
    user.balance = Decimal(5)
    refused(user.save, update_fields=["balance"])


def test_held_is_never_negative():
    refused(User.objects.filter(pk=person_with("1").pk).update, held=Decimal("-0.000000001"))


# Holds -------------------------------------------------------------------------------------------


def test_a_person_has_at_most_one_open_overdraft():
    user = person_with("1")
    fields = {"user": user, "amount": 1, "overdraft": True, "expires_at": Now()}
    Hold.objects.create(key="turn:0", state="released", **fields)
    Hold.objects.create(key="turn:1", **fields)
    refused(Hold.objects.create, key="turn:2", **fields)


def test_a_hold_is_never_negative_and_its_key_is_its_own():
    user = person_with("1")
    fields = {"user": user, "expires_at": Now()}
    refused(Hold.objects.create, key="turn:1", amount=Decimal("-1"), **fields)
    refused(Hold.objects.create, key="", amount=1, **fields)
    Hold.objects.create(key="turn:1", amount=1, **fields)
    refused(Hold.objects.create, key="turn:1", amount=1, **fields)


# Prices and rates --------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "10000.000000001", "1e30"])
@pytest.mark.parametrize("name", ["input", "output", "cache_read", "cache_write_5m", "cache_write_1h"])
def test_a_rate_that_is_no_sane_price_is_refused(name: str, rate: str):
    columns = ", ".join(RATES)
    values = ", ".join(rate if column == name else "1" for column in RATES).replace("NaN", "'NaN'")
    with pytest.raises(DatabaseError, match=f"price_{name}_is_sane|overflow"), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO billing_price (item, effective_from, source, enabled, display_order, {columns})"
            f" VALUES ('m', now(), 'test', true, 1, {values})"
        )


def test_a_price_is_of_a_model_or_of_a_unit_and_whole():
    fields = {"effective_from": Now(), "source": "test"}
    refused(Price.objects.create, item="m", **fields)
    refused(Price.objects.create, item="m", **fields, **RATES, per_unit=1)
    refused(Price.objects.create, item="m", **fields, **{**RATES, "cache_read": None})
    refused(Price.objects.create, item="m", **fields, **RATES, long_above=100_000)
    refused(Price.objects.create, item="m", **fields, **RATES, long_input=1)
    refused(Price.objects.create, item="u", **fields, per_unit=1, web_search=1)
    refused(Price.objects.create, item="", **fields, per_unit=1)
    assert Price.objects.create(item="u", **fields, per_unit=1).pk


def test_a_price_is_never_edited_but_may_be_switched_off_and_moved():
    price = Price.objects.create(item="m", effective_from=Now(), source="test", **RATES)
    refused(Price.objects.update, input=2)
    refused(Price.objects.update, effective_from=None)
    refused(price.delete)
    Price.objects.update(enabled=False, display_order=3)
    price.refresh_from_db()
    assert (price.enabled, price.display_order, price.input) == (False, 3, 1)


def test_a_star_rate_leaves_something_and_gives_nothing_away():
    fields = {"effective_from": Now(), "k1": 0, "k2": 0, "k3": 0}
    refused(StarRate.objects.create, **fields, usd_per_star=0)
    refused(StarRate.objects.create, **fields, usd_per_star=2)
    refused(StarRate.objects.create, **fields | {"k3": Decimal("-0.1")}, usd_per_star=1)
    refused(StarRate.objects.create, **fields | {"k1": Decimal("0.5"), "k2": Decimal("0.5")}, usd_per_star=1)


def test_a_hundred_stars_are_sixty_five_cents():
    rate = StarRate(usd_per_star=Decimal("0.013"), k1=Decimal("0.35"), k2=Decimal("0.15"), k3=Decimal(0))
    assert 100 * rate.usd == Decimal("0.65")


# Payments ----------------------------------------------------------------------------------------


def test_a_payment_is_paid_exactly_when_it_has_telegrams_charge_id():
    order = {
        "user": person_with("0"),
        "stars": 100,
        "usd": Decimal("0.65"),
        "usd_per_star": Decimal("0.013"),
        "k1": 0,
        "k2": 0,
        "k3": 0,
        "expires_at": Now(),
    }
    Payment.objects.create(**order)
    Payment.objects.create(**order)
    refused(Payment.objects.create, **order, state="paid")
    refused(Payment.objects.create, **order, state="paid", charge_id="", paid_at=Now())
    refused(Payment.objects.create, **order, state="ordered", charge_id="c1", paid_at=Now())
    Payment.objects.create(**order, state="paid", charge_id="c1", paid_at=Now())
    refused(Payment.objects.create, **order, state="paid", charge_id="c1", paid_at=Now())
    refused(Payment.objects.create, **{**order, "stars": 0})
    refused(Payment.objects.create, **{**order, "usd": 0})


# Numbers that grow -------------------------------------------------------------------------------


def test_every_id_and_every_reference_of_money_is_a_bigint():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_name LIKE 'billing\\_%' AND (column_name = 'id' OR column_name LIKE '%\\_id')"
            " AND column_name NOT IN ('charge_id', 'transaction_id')"  # Telegram's
        )
        columns = cursor.fetchall()
    assert len(columns) >= 9
    assert {data_type for _, _, data_type in columns} == {"bigint"}


def test_rows_go_on_past_the_largest_32_bit_number():
    user = person_with("0")
    with connection.cursor() as cursor:
        for table in ("billing_balanceoperation", "billing_hold"):
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, 2**31 - 2])
    for number in range(3):
        ledger.credit(user.pk, key=f"pay:{number}", amount=Decimal(1), kind="top_up")
        ledger.hold(user.pk, key=f"turn:{number}", estimate=Decimal("0.1"), expires_in=MINUTES)
    assert BalanceOperation.objects.first().pk == 2**31 + 1
    assert Hold.objects.latest("pk").pk == 2**31 + 1
