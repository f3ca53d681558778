"""The state machine over the ledger, and the proof that it would notice a planted bug."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from billing import ledger
from billing.errors import KeyMisused
from tests.billing.machine import LedgerMachine, posted_twice
from tests.billing.stars_machine import StarsMachine

pytestmark = pytest.mark.django_db(transaction=True)

KEY_CHECK = "    if posted:\n        return _first(entry)\n"
UNIQUE_KEY = "billing_balanceoperation_key_"


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


def test_sums_agree_after_every_step_of_any_order_of_verbs(capsys):
    machine = type("Checked", (LedgerMachine,), {"steps_checked": 0})
    run(machine, examples=25, steps=30)
    with capsys.disabled():
        print(f"\nledger machine: sums agreed in {machine.steps_checked} states")
    assert machine.steps_checked > 300


def test_sums_agree_after_every_step_of_payments_refunds_gifts_and_codes(capsys):
    machine = type("Checked", (StarsMachine,), {"steps_checked": 0})
    run(machine, examples=25, steps=30)
    with capsys.disabled():
        print(f"\nstars machine: sums agreed in {machine.steps_checked} states")
    assert machine.steps_checked > 300


@pytest.mark.soak
@pytest.mark.parametrize("machine", [LedgerMachine, StarsMachine])
def test_sums_agree_after_every_step_for_long(machine, capsys):
    machine = type("Checked", (machine,), {"steps_checked": 0})
    run(machine, examples=500, steps=50)
    with capsys.disabled():
        print(f"\nledger machine: sums agreed in {machine.steps_checked} states")


@pytest.fixture
def broken_ledger() -> Iterator[ModuleType]:
    """A copy of the ledger in which a charge does not look whether its key was there before."""
    source = Path(ledger.__file__).read_text()
    assert source.count(KEY_CHECK) == 1
    name = "tests.billing.broken_ledger"
    spec = importlib.util.spec_from_loader(name, loader=None)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    exec(compile(source.replace(KEY_CHECK, ""), name, "exec"), module.__dict__)
    yield module
    del sys.modules[name]


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


def broken_machine(broken_ledger: ModuleType) -> type[LedgerMachine]:
    return type("Broken", (LedgerMachine,), {"ledger": broken_ledger})


QUICKLY = {"derandomize": True, "phases": [Phase.generate]}  # no shrinking: that it fails is all we ask


def test_the_machine_notices_a_ledger_that_forgets_to_look_at_keys(broken_ledger, no_unique_key):
    with pytest.raises(AssertionError, match=r"each key counts once|another amount|first"):
        run(broken_machine(broken_ledger), examples=200, steps=50, **QUICKLY)
    assert posted_twice() > 0


def test_the_database_refuses_what_a_ledger_that_forgets_to_look_at_keys_would_do(broken_ledger):
    with pytest.raises(KeyMisused):
        run(broken_machine(broken_ledger), examples=200, steps=50, **QUICKLY)
    assert posted_twice() == 0
