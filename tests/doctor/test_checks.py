"""Each thing that was begun and not ended is found: the checks of the doctor beside real rows."""

import asyncio
import os
import time
import uuid
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis as redis_client
from django.db import connection
from django.utils import timezone

from accounts.models import User
from billing.models import Hold, Payment, Reconciliation, UnmatchedTransaction
from billing.price_sync import seed_prices
from config.celery import BEAT_KEY
from config.local import Redis
from conversations.models import DeadEvent
from telegram_bot.doctor import Check, Mark, examined, records, roles, servers, telegram
from telegram_bot.doctor.findings import well
from telegram_bot.models import Update
from telegram_bot.playground import Playground

pytestmark = pytest.mark.django_db(transaction=True)


def found(checks: Sequence[Check], mark: Mark = Mark.BAD) -> list[str]:
    return [
        finding.words for _, all_of_it in examined(checks) for finding in all_of_it if finding.mark is mark
    ]


@pytest.fixture
def anna() -> User:
    return User.objects.create(first_name="Anna", telegram_id=1001)


@pytest.fixture(autouse=True)
def local(settings: Any, tmp_path: Path) -> Path:
    settings.LOCAL = tmp_path
    return tmp_path


def paid(user: User, **fields: Any) -> Payment:
    now = timezone.now()
    given = {"state": "paid", "charge_id": str(uuid.uuid4()), "paid_at": now, "receipt_sent_at": now}
    rates = {"usd": Decimal(1), "usd_per_star": Decimal("0.013"), "k1": 0, "k2": 0, "k3": 0}
    return Payment.objects.create(user=user, stars=100, expires_at=now, **rates, **{**given, **fields})


def ago(**how: int) -> Any:
    return timezone.now() - timedelta(**how)


def test_books_that_agree_with_nothing_open_are_well(anna: User) -> None:
    seed_prices()
    paid(anna)
    Hold.objects.create(key="turn:1", user=anna, amount=0, expires_at=timezone.now())
    assert found(records.CHECKS) == []


@pytest.mark.parametrize(
    ("begun", "words"),
    [
        (lambda anna: Hold.objects.create(key="t", user=anna, amount=0, expires_at=ago(hours=1)), "1 holds ran out"),
        (lambda anna: paid(anna, flagged=True), "1 payments are flagged"),
        (lambda anna: paid(anna, state="refund_sent", refund_called_at=ago(hours=2)), "1 refunds are under way"),
        (lambda anna: paid(anna, receipt_sent_at=None, paid_at=ago(hours=2)), "1 people paid and were not told"),
        (lambda _: Reconciliation.objects.create(id=1, ran_at=ago(days=2)), "Stars were last compared"),
        (
            lambda _: UnmatchedTransaction.objects.create(
                transaction_id="x", incoming=True, stars=5, partner="?", happened_at=ago(days=1)
            ),
            "1 Star transactions belong to no payment",
        ),
        (
            lambda _: Update.objects.create(update_id=1, payload="{}", handled_at=ago(hours=1), error="ValueError"),
            "1 updates were given up",
        ),
    ],
    ids=["hold", "flagged", "refund", "receipt", "reconciliation", "unmatched", "dead update"],
)  # fmt: skip
def test_what_did_not_come_to_its_end_is_found(anna: User, begun: Any, words: str) -> None:
    seed_prices()
    begun(anna)
    [said] = found(records.CHECKS)
    assert said.startswith(words)


def test_a_ledger_that_does_not_agree_is_found_and_nobody_is_blocked_by_looking(anna: User) -> None:
    seed_prices()
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # past the triggers, as only a hand could
        cursor.execute("UPDATE accounts_user SET balance = 5 WHERE id = %s", [anna.pk])
        cursor.execute("SET session_replication_role = DEFAULT")
    [said] = found(records.CHECKS)
    assert said.startswith("The ledger does not agree for 1 people")
    anna.refresh_from_db()
    assert anna.spending_blocked_at is None


def test_a_model_of_new_people_without_a_price_is_wrong() -> None:
    said, *_ = found(records.CHECKS)
    assert said.startswith("demo, the model of new people, has no price")


def test_events_that_could_not_be_written_are_found(redis: redis_client.Redis) -> None:
    DeadEvent.objects.create(
        id=uuid.uuid4(), kind="tool_call", payload="{}", error="x", attempts=3, happened_at=timezone.now()
    )
    [said] = [words for words in found(roles.CHECKS) if "events could not be written" in words]
    assert said.startswith("1 events")


def test_a_bot_that_has_gone_deaf_is_told_from_one_that_hears(local: Path) -> None:
    alive = local / "bot-alive"
    alive.touch()
    assert any("The bot hears Telegram" in words for words in found(roles.CHECKS[:1], Mark.WELL))
    old = time.time() - 600
    os.utime(alive, (old, old))
    [said] = found(roles.CHECKS[:1])
    assert said.startswith("The bot of this machine has not heard Telegram for 10 minutes")


def test_updates_that_wait_are_found() -> None:
    Update.objects.create(update_id=1, payload="{}")
    Update.objects.update(received_at=ago(minutes=5))
    [said] = found(roles.CHECKS[:1])
    assert said.startswith("1 updates wait for more than a minute")


def test_a_beat_that_has_stopped_is_found(redis: redis_client.Redis) -> None:
    redis.set(BEAT_KEY, time.time() - 600)
    assert any("Beat sent its last task 10 minutes ago" in words for words in found(roles.CHECKS[1:2]))


def test_a_redis_that_would_throw_events_away_is_wrong(own_redis: Redis, settings: Any) -> None:
    settings.REDIS_URL = own_redis.place.redis_url()
    with redis_client.Redis.from_url(settings.REDIS_URL) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    assert any("maxmemory-policy allkeys-lru" in words for words in found(servers.CHECKS))


def test_a_clock_that_is_not_ours_is_found() -> None:
    assert list(servers.skew("Redis", time.time() + 1)) == []
    [said] = servers.skew("Redis", time.time() - 90)
    assert said.words.startswith("The clock of Redis is 90 s behind")


async def test_updates_that_nobody_fetches_are_found_at_telegram(settings: Any) -> None:
    async with Playground.started() as stands_in:
        settings.TELEGRAM_API_URL, settings.TELEGRAM_BOT_TOKEN = stands_in.url, stands_in.token
        anna = stands_in.person(1001)
        for number in range(30):
            await anna.send(f"Hello {number}")
        [said] = await asyncio.to_thread(found, telegram.CHECKS)
    assert said.startswith("30 updates wait at Telegram")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_check_that_hangs_or_breaks_keeps_nothing_from_the_others() -> None:
    def hangs() -> list[Any]:
        time.sleep(30)
        return []

    def breaks() -> list[Any]:
        raise LookupError("a bug")

    begun = time.monotonic()
    said = found([Check("One", hangs, 0.2), Check("Two", breaks), Check("Three", lambda: [well("Fine.")])])
    assert said == [
        "One did not answer within 0 s.",
        "Two could not be looked at: the log above says what broke.",
    ]
    assert time.monotonic() - begun < 20
