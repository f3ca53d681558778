"""The state machine over all that moves a dollar, and the proof that it would notice planted bugs."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest
from django.db import IntegrityError, connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from billing import ledger
from billing.errors import KeyMisused
from tests.billing.machine import LedgerMachine, posted_twice
from tests.billing.money_machine import MoneyMachine
from tests.billing.planted import BUGS, FORGETS_KEYS, RARER_BUGS, Bug, planted

pytestmark = pytest.mark.django_db(transaction=True)

UNIQUE_KEY = "billing_balanceoperation_key_"
COVERED = {
    *("pay", "pay twice", "refund", "refund outside", "subscription renewal", "rate change"),
    *("spend", "stop", "crash", "adjust", "voucher", "gift", "price change"),
}
ROUNDS_MAX = 3  # chance leaves out a rare one now and then, but not three times
# No shrinking: that it fails is all we ask, and within 5,000 states.
QUICKLY = {"derandomize": True, "phases": [Phase.generate], "examples": 100, "steps": 50}


def run(machine: type[LedgerMachine], examples: int, steps: int, **more: object) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            **more,
        ),
    )


def counted(machine: type[LedgerMachine], **parts: object) -> type[LedgerMachine]:
    """The machine with counters of its own, and with broken parts where some are given."""
    return type("Counted", (machine,), {"steps_checked": 0, "happened": Counter(), **parts})


def test_sums_agree_after_every_step_of_any_order_of_verbs(capsys):
    machine = counted(LedgerMachine)
    run(machine, examples=12, steps=30)
    with capsys.disabled():
        print(f"\nledger machine: sums agreed in {machine.steps_checked} states")
    assert machine.steps_checked > 300


def test_sums_agree_after_every_step_of_all_that_moves_a_dollar(capsys):
    machine = counted(MoneyMachine)
    for _ in range(ROUNDS_MAX):
        run(machine, examples=20, steps=40)
        if machine.happened.keys() >= COVERED:
            break
    with capsys.disabled():
        print(f"\nmoney machine: sums agreed in {machine.steps_checked} states:", *tally(machine))
    assert machine.steps_checked > 300
    assert machine.happened.keys() >= COVERED


def tally(machine: type[LedgerMachine]) -> Iterator[str]:
    return (f"{what} {times}," for what, times in sorted(machine.happened.items()))


@pytest.mark.soak
@pytest.mark.parametrize("machine", [LedgerMachine, MoneyMachine])
def test_sums_agree_after_every_step_for_long(machine, capsys):
    machine = counted(machine)
    run(machine, examples=500, steps=50)
    with capsys.disabled():
        print(
            f"\n{machine.__base__.__name__}: sums agreed in {machine.steps_checked} states:", *tally(machine)
        )


# Planted bugs ------------------------------------------------------------------------------------


ALL_BUGS = [*BUGS, *(pytest.param(bug, marks=pytest.mark.soak) for bug in RARER_BUGS)]


@pytest.mark.parametrize("bug", ALL_BUGS, ids=lambda bug: bug.what.replace(" ", "-"))
def test_the_machine_notices_a_planted_bug(bug: Bug, capsys):
    began = time.monotonic()
    with planted(bug) as broken:
        smallest = LedgerMachine if bug.module is ledger else MoneyMachine
        machine = counted(smallest, **{bug.name: broken})
        with pytest.raises((AssertionError, IntegrityError)):
            run(machine, **QUICKLY)
    seconds = time.monotonic() - began
    with capsys.disabled():
        print(f"\nnoticed in state {machine.steps_checked}, after {seconds:.1f} s: {bug.what}")


@pytest.fixture
def no_unique_key() -> Iterator[None]:
    """The database without its own check of operation keys."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'u' AND conname LIKE %s", [f"{UNIQUE_KEY}%"]
        )
        (name,) = cursor.fetchone()
        cursor.execute(f"ALTER TABLE billing_balanceoperation DROP CONSTRAINT {name}")
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE billing_balanceoperation")
        cursor.execute(f"ALTER TABLE billing_balanceoperation ADD CONSTRAINT {name} UNIQUE (key)")


def test_the_machine_notices_a_ledger_that_forgets_to_look_at_keys(no_unique_key):
    with (
        planted(FORGETS_KEYS) as broken,
        pytest.raises(AssertionError, match=r"each key counts once|another amount|first"),
    ):
        run(counted(LedgerMachine, ledger=broken), **QUICKLY)
    assert posted_twice() > 0


def test_the_database_refuses_what_a_ledger_that_forgets_to_look_at_keys_would_do():
    with planted(FORGETS_KEYS) as broken, pytest.raises(KeyMisused):
        run(counted(LedgerMachine, ledger=broken), **QUICKLY)
    assert posted_twice() == 0
