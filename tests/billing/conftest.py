"""People with money, and many hands at once: what the tests of this app stand on."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from accounts.models import Staff, User
from billing import ledger

HANDS = 16  # threads, each with a connection of its own; the server takes about a hundred


@pytest.fixture(autouse=True)
def limits(settings) -> Any:
    """The limits these tests reckon with, whatever the defaults become."""
    settings.STARTING_BALANCE_USD = Decimal("1.00")
    settings.TURN_CAP_USD = Decimal("0.50")
    settings.OVERDRAFT_LIMIT_USD = Decimal("0.25")
    settings.RUNNING_TURNS_MAX = 3
    settings.DAILY_CAP_USD = settings.BOT_DAILY_CAP_USD = Decimal(0)
    return settings


def person_with(balance: str) -> User:
    """A new person whose balance is this many dollars, by a credit or an adjustment."""
    user = User.objects.create(first_name="Anna")
    dollars = Decimal(balance)
    if dollars > 0:
        ledger.credit(user.pk, key=f"pay:{uuid4()}", amount=dollars, kind="top_up")
    elif dollars < 0:
        ledger.adjust(user.pk, key=f"admin:{uuid4()}", amount=dollars, reason="a test", actor_id=staff().pk)
    user.refresh_from_db()
    return user


def staff() -> Staff:
    return Staff.objects.create(username=f"felix-{uuid4()}")


def all_at_once(calls: Iterable[Callable[[], Any]], hands: int = HANDS) -> list[Any]:
    """What each call returned or raised, in order; as many run at once as there are hands."""
    queue = list(enumerate(calls))
    outcomes: list[Any] = [None] * len(queue)
    ready = Barrier(min(hands, len(queue)))

    def work() -> None:
        ready.wait(10)
        try:
            while queue:
                try:
                    place, call = queue.pop(0)
                except IndexError:  # another hand was quicker
                    return
                try:
                    outcomes[place] = call()
                except Exception as error:  # noqa: BLE001  handed to the test, which judges it
                    outcomes[place] = error
        finally:
            connection.close()

    threads = [Thread(target=work) for _ in range(ready.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
