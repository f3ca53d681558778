"""in_db(): the bridge from the event loop to the database."""

import asyncio
import contextvars
import threading

import pytest
from django.db import connection

from config.aio import in_db

caller: contextvars.ContextVar[str] = contextvars.ContextVar("caller")


def backend_pid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
async def test_a_service_runs_on_a_database_thread_with_its_arguments() -> None:
    def where(number: int, *, word: str) -> tuple[str, int, str]:
        return threading.current_thread().name, number, word

    name, number, word = await in_db(where)(3, word="yes")
    assert name.startswith("db_")
    assert (number, word) == (3, "yes")


@pytest.mark.django_db(transaction=True)
async def test_a_service_sees_the_context_of_its_caller() -> None:
    caller.set("turn 7")
    assert await in_db(caller.get)() == "turn 7"


@pytest.mark.django_db(transaction=True)
async def test_connections_are_kept_between_calls_and_bounded_by_the_threads() -> None:
    pids = await asyncio.gather(*[in_db(backend_pid)() for _ in range(200)])
    assert 1 <= len(set(pids)) <= 12


@pytest.mark.django_db(transaction=True)
async def test_what_a_service_raises_arrives_at_its_caller() -> None:
    def refuse() -> None:
        raise LookupError("no such row")

    with pytest.raises(LookupError, match="no such row"):
        await in_db(refuse)()
