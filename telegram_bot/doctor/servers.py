"""The settings, PostgreSQL and Redis: what everything else stands on."""

import time
from collections.abc import Iterator

import redis
from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from telegram_bot.doctor.findings import Check, Finding, bad, look, well

ANSWER_SECONDS_MAX = 3
SKEW_SECONDS_MAX = 5  # clocks further apart confuse whoever reads two logs side by side


def _settings() -> Iterator[Finding]:
    wrong = [found for found in checks.run_checks() if found.level >= checks.ERROR]
    for found in wrong:
        yield bad(f"{found.msg} {found.hint or ''}".strip())
    if settings.DEBUG:
        yield look("DEBUG is true: errors are shown to whoever sees the admin. Set it to false on a server.")
    if not wrong:
        yield well("The settings can be read and agree with each other.")


def _database() -> Iterator[Finding]:
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('server_version'), pg_database_size(current_database()),"
                " extract(epoch FROM clock_timestamp())::float8"
            )
            version, size, clock = cursor.fetchone()
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        yield bad("PostgreSQL does not answer at DATABASE_URL: start it, or correct the address.")
        return
    yield well(f"PostgreSQL {version.split()[0]} answers; the database has {size / 1024**2:,.0f} MB.")
    if missing:
        names = ", ".join(f"{step.app_label}.{step.name}" for step, _ in missing[:3])
        yield bad(f"{len(missing)} migrations are missing ({names} …): run `python manage.py migrate`.")
    yield from skew("PostgreSQL", clock)


def _redis() -> Iterator[Finding]:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=ANSWER_SECONDS_MAX, socket_connect_timeout=ANSWER_SECONDS_MAX
        ) as client:
            memory, kept = client.info("memory"), client.info("persistence")
            seconds, _ = client.time()
    except redis.RedisError:
        yield bad("Redis does not answer at REDIS_URL: start it, or correct the address.")
        return
    policy = memory.get("maxmemory_policy", "unknown")
    yield well(f"Redis answers, with {memory['used_memory'] / 1024**2:,.0f} MB in use and {policy}.")
    if not kept.get("aof_enabled"):
        yield look("Redis keeps no append-only file: events not yet written are lost when it is killed.")
    yield from skew("Redis", seconds)


def skew(who: str, clock: float) -> Iterator[Finding]:
    """A clock that is not ours, if the two are too far apart."""
    apart = clock - time.time()
    if abs(apart) > SKEW_SECONDS_MAX:
        way = "before" if apart > 0 else "behind"
        yield bad(f"The clock of {who} is {abs(apart):.0f} s {way} this machine's: set both by NTP.")


CHECKS = (Check("The settings", _settings), Check("PostgreSQL", _database), Check("Redis", _redis))
