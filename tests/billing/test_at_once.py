"""Many hands on one balance: real threads, real connections, real commits."""

import threading
import time
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from random import Random

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from accounts.models import User
from billing import ledger
from billing.audit import audit
from billing.errors import InsufficientFunds, KeyMisused, SpendingRefused
from billing.models import BalanceOperation, Hold
from tests.billing.conftest import all_at_once, person_with, staff

pytestmark = pytest.mark.django_db(transaction=True)

MINUTES = timedelta(minutes=5)


def charge(turn: str, number: int, amount: str | Decimal):
    return lambda: ledger.settle(
        turn, key=f"{turn}:step:{number}", amount=Decimal(amount), details={"number": number}
    )


def raised(outcomes: list) -> list[Exception]:
    return [outcome for outcome in outcomes if isinstance(outcome, Exception)]


def test_200_charges_of_a_fraction_of_a_micro_dollar_at_once_are_exact():
    user = person_with("1")
    ledger.hold(user.pk, key="turn:1", estimate=Decimal("0.10"), expires_in=MINUTES)
    assert not raised(all_at_once(charge("turn:1", number, "0.00000123") for number in range(200)))
    user.refresh_from_db()
    assert user.balance == 1 - 200 * Decimal("0.00000123")
    assert user.held == Decimal("0.10") - 200 * Decimal("0.00000123")
    balances = user.operations.order_by("id").values_list("balance_after", flat=True)
    assert list(balances) == [1 - n * Decimal("0.00000123") for n in range(201)], "an unbroken chain"


def test_every_key_submitted_three_times_at_once_counts_once():
    user = person_with("1")
    ledger.hold(user.pk, key="turn:1", estimate=Decimal("0.10"), expires_in=MINUTES)
    calls = [charge("turn:1", number, "0.001") for number in range(50) for _ in range(3)]
    Random(1).shuffle(calls)
    outcomes = all_at_once(calls)
    assert not raised(outcomes)
    assert Counter(operation.pk for operation in outcomes) == dict.fromkeys({o.pk for o in outcomes}, 3)
    user.refresh_from_db()
    assert (user.balance, user.operations.count()) == (Decimal("0.95"), 51)


def test_one_key_for_two_people_at_once_is_one_operation_and_one_loud_error():
    people = [person_with("0"), person_with("0")]
    for number in range(20):
        outcomes = all_at_once(
            lambda user=user, number=number: ledger.credit(
                user.pk, key=f"pay:{number}", amount=Decimal(1), kind="top_up"
            )
            for user in people
        )
        assert sorted(type(outcome) for outcome in outcomes if isinstance(outcome, Exception)) == [KeyMisused]
    assert BalanceOperation.objects.count() == 20
    assert audit() == []


def test_50_first_greetings_at_once_give_one_starting_credit():
    user = person_with("0")
    outcomes = all_at_once([lambda: ledger.grant_starting_credit(user.pk)] * 50)
    assert len({operation.pk for operation in outcomes}) == 1
    user.refresh_from_db()
    assert user.balance == Decimal("1.00")


def test_charges_top_ups_corrections_and_refunds_at_once_end_in_one_sum():
    user, felix = person_with("5"), staff()
    ledger.hold(user.pk, key="turn:1", estimate=Decimal("0.10"), expires_in=MINUTES)
    kinds = [charge("turn:1", number, "0.003") for number in range(100)]
    kinds += [
        lambda n=n: ledger.credit(user.pk, key=f"pay:{n}", amount=Decimal("0.65"), kind="top_up")
        for n in range(20)
    ]
    kinds += [
        lambda n=n: ledger.adjust(
            user.pk, key=f"admin:{n}", amount=Decimal("-0.1"), reason="a test", actor_id=felix.pk
        )
        for n in range(5)
    ]
    kinds += [
        lambda n=n: ledger.debit(user.pk, key=f"refund:{n}", amount=Decimal("0.65"), kind="refund")
        for n in range(3)
    ]
    kinds += [
        lambda n=n: ledger.extend("turn:1", needed=Decimal("0.05"), expires_in=MINUTES) for n in range(10)
    ]
    kinds += [ledger.expire_holds] * 5
    Random(2).shuffle(kinds)
    assert not raised(all_at_once(kinds))
    user.refresh_from_db()
    assert user.balance == Decimal("5") - Decimal("0.3") + 13 - Decimal("0.5") - Decimal("1.95")
    assert audit() == []


def test_the_sweeper_and_a_late_charge_at_once_charge_once_and_leave_nothing_held():
    user = person_with("1")
    for number in range(20):
        turn = f"turn:{number}"
        ledger.hold(user.pk, key=turn, estimate=Decimal("0.1"), expires_in=timedelta(seconds=-1))
        late = [ledger.expire_holds, charge(turn, 0, "0.01"), charge(turn, 0, "0.01"), ledger.expire_holds]
        assert not raised(all_at_once([*late, lambda turn=turn: ledger.release(turn)]))
    user.refresh_from_db()
    assert (user.balance, user.held) == (Decimal("0.80"), 0)
    assert audit() == []


# How far below zero ------------------------------------------------------------------------------

ESTIMATE = Decimal("0.30")
OVERRUN = Decimal("0.05")  # what a step may cost more than the hold had for it: its estimate was wrong


class Spender:
    """A turn that spends all it is let spend, and in its last step a little more."""

    def __init__(self, user: User, number: int) -> None:
        self.user, self.key = user, f"turn:{number}"

    def run(self) -> str:
        try:
            ledger.hold(self.user.pk, key=self.key, estimate=ESTIMATE, expires_in=MINUTES)
        except SpendingRefused as refused:
            return refused.key
        for step in range(10):
            left = ledger.extend(self.key, needed=ESTIMATE, expires_in=MINUTES)
            if left == 0:
                break
            overrun = OVERRUN if left < ESTIMATE else Decimal(0)
            charge(self.key, step, left + overrun)()
        overdraft = Hold.objects.get(key=self.key).overdraft
        ledger.release(self.key)
        return "overdraft" if overdraft else "within"


def worst_of(turns: int, balance: str) -> tuple[Counter, Decimal]:
    user = person_with(balance)
    outcomes = all_at_once(Spender(user, user.pk * 1000 + number).run for number in range(turns))
    assert not raised(outcomes)
    lowest = min(user.operations.values_list("balance_after", flat=True))
    return Counter(outcomes), lowest


def test_however_many_turns_start_at_once_at_most_one_goes_below_zero(limits, capsys):
    bound = -(limits.OVERDRAFT_LIMIT_USD + OVERRUN)
    lines = [f"{'turns':>6} {'admitted':>9} {'overdrafts':>11} {'worst balance':>14} {'bound':>6}"]
    for turns in (1, 2, 5, 20, 100, 500):
        outcomes, worst = worst_of(turns, "0.10")
        admitted = outcomes["within"] + outcomes["overdraft"]
        lines.append(f"{turns:>6} {admitted:>9} {outcomes['overdraft']:>11} {worst:>14.3f} {bound:>6}")
        assert outcomes["overdraft"] <= 1
        assert admitted >= 1
        assert worst >= bound
    assert audit() == []
    with capsys.disabled():
        print("\n\n$0.10, steps that cost $0.05 more than their estimate:", *lines, sep="\n  ")


def test_a_strict_ledger_falls_below_zero_by_an_overrun_at_most(limits):
    limits.OVERDRAFT_LIMIT_USD = Decimal(0)
    outcomes, worst = worst_of(100, "0.10")
    assert outcomes["overdraft"] == 0
    assert worst >= -OVERRUN


def test_three_running_turns_that_all_underestimate_make_one_overdraft(limits):
    """Each running turn may be wrong about its own step: the overruns add up, the limit does not."""
    user = person_with("0.10")
    keys = [f"turn:{number}" for number in range(3)]
    for key in keys:
        ledger.hold(user.pk, key=key, estimate=Decimal("0.03"), expires_in=MINUTES)

    def work(key: str) -> None:
        for step in range(10):
            left = ledger.extend(key, needed=Decimal("0.03"), expires_in=MINUTES)
            if left == 0:
                break
            charge(key, step, left + Decimal("0.015"))()

    assert not raised(all_at_once(lambda key=key: work(key) for key in keys))
    assert Hold.objects.filter(overdraft=True).count() <= 1
    user.refresh_from_db()
    assert user.balance >= -(limits.OVERDRAFT_LIMIT_USD + 3 * Decimal("0.015"))
    with pytest.raises(InsufficientFunds):
        ledger.hold(user.pk, key="turn:9", estimate=Decimal("0.03"), expires_in=MINUTES)


# Faults ------------------------------------------------------------------------------------------


class FaultAt:
    """Lets the server itself fail the statement of this number, once; or end the connection after it."""

    def __init__(self, number: int, fault: str) -> None:
        self.number, self.fault, self.seen = number, fault, 0

    def __call__(self, execute, sql, params, many, context):
        self.seen += 1
        if self.seen != self.number:
            return execute(sql, params, many, context)
        if self.fault == "ended before":
            self.end_connection()
        elif self.fault != "ended after":
            execute(f"DO $$ BEGIN RAISE SQLSTATE '{self.fault}'; END $$", None, False, context)
        result = execute(sql, params, many, context)
        self.end_connection()
        return result

    @staticmethod
    def end_connection() -> None:
        pid = connection.connection.info.backend_pid
        with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def turn_of(user: User) -> str:
    return f"turn:{user.pk}"


VERBS = {
    "hold": lambda user: ledger.hold(
        user.pk, key=f"turn:{user.pk}:2", estimate=Decimal("0.1"), expires_in=MINUTES
    ),
    "extend": lambda user: ledger.extend(turn_of(user), needed=Decimal("0.3"), expires_in=MINUTES),
    "settle": lambda user: charge(turn_of(user), 0, "0.04")(),
    "release": lambda user: ledger.release(turn_of(user)),
    "credit": lambda user: ledger.credit(user.pk, key=f"pay:{user.pk}", amount=Decimal(1), kind="top_up"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_fails_on_the_server_at_any_statement_is_done_again_exactly_once(verb):
    outcomes = set()
    faults = [
        (number, fault)
        for number in range(1, 5)
        for fault in ("40P01", "40001", "ended before", "ended after")
    ]
    for number, fault_kind in [(0, "none: the outcome to compare with"), *faults]:
        user = person_with("1")
        ledger.hold(user.pk, key=turn_of(user), estimate=Decimal("0.1"), expires_in=MINUTES)
        fault = FaultAt(number, fault_kind)
        with connection.execute_wrapper(fault):
            VERBS[verb](user)
        user.refresh_from_db()
        outcomes.add((user.balance, user.held, user.operations.count(), user.holds.count()))
    assert len(outcomes) == 1
    assert audit() == []


def test_a_deadlock_with_somebody_who_locks_the_other_way_round_is_survived():
    user = person_with("1")
    ledger.hold(user.pk, key="turn:1", estimate=Decimal("0.1"), expires_in=MINUTES)
    rival = Rival(user)
    attempts = []

    def in_step(execute, sql, params, many, context):
        """One order of events, however busy the machine: each side waits until the other is where it belongs."""
        if "FOR UPDATE" not in sql:
            return execute(sql, params, many, context)
        if "accounts_user" not in sql:
            rival.wait_until_it_waits()  # now the ledger's wait for the hold closes the ring
            return execute(sql, params, many, context)
        if attempts:
            assert rival.is_done.wait(10)  # the deadlock set it free; its lock is not taken from it again
        attempts.append(sql)
        result = execute(sql, params, many, context)
        rival.person_is_locked.set()
        return result

    def right_way_round() -> BalanceOperation:
        assert rival.has_hold.wait(10)
        with connection.cursor() as cursor:
            cursor.execute("SET deadlock_timeout = '50ms'")  # so that the ledger is the one given up
        with connection.execute_wrapper(in_step):
            return charge("turn:1", 0, "0.04")()

    assert not raised(all_at_once([rival.run, right_way_round]))
    assert len(attempts) == 2, "the first attempt ended in the deadlock"
    user.refresh_from_db()
    assert (user.balance, user.held, user.operations.count()) == (Decimal("0.96"), Decimal("0.06"), 2)


class Rival:
    """Somebody who locks the hold first and the person behind it."""

    def __init__(self, user: User) -> None:
        self.user, self.pid = user, 0
        self.has_hold, self.person_is_locked, self.is_done = (threading.Event() for _ in range(3))

    def run(self) -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "SET LOCAL deadlock_timeout = '1min'"
                )  # it only looks when the ledger has long
            self.pid = connection.connection.info.backend_pid
            Hold.objects.select_for_update().get(key="turn:1")
            self.has_hold.set()
            assert self.person_is_locked.wait(10)
            User.objects.select_for_update().get(pk=self.user.pk)
        self.is_done.set()

    def wait_until_it_waits(self) -> None:
        """Until PostgreSQL says that it waits for a lock; at once when it is through."""
        deadline = time.monotonic() + 10
        with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
            while not self.is_done.is_set() and not other.execute(
                "SELECT cardinality(pg_blocking_pids(%s))", [self.pid]
            ).fetchone() > (0,):
                assert time.monotonic() < deadline, "the rival never waited"


def test_a_fault_that_does_not_pass_is_raised_after_three_attempts():
    user = person_with("1")
    attempts = []

    def always(execute, sql, params, many, context):
        attempts.append(sql)
        return execute("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$", None, False, context)

    with connection.execute_wrapper(always), pytest.raises(OperationalError):
        ledger.grant_starting_credit(user.pk)
    assert len(attempts) == 3


def test_inside_a_callers_transaction_nothing_is_retried_behind_its_back():
    user = person_with("1")
    fault = FaultAt(1, "40P01")
    with (
        pytest.raises(OperationalError),
        transaction.atomic(),
        connection.execute_wrapper(fault),
    ):
        ledger.grant_starting_credit(user.pk)
    assert fault.seen == 1
    user.refresh_from_db()
    assert user.balance == 1
