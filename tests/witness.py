"""What the servers know, told by a test that fails: a rare loss is found by its first sighting or never."""

import os

import psycopg
import redis as redis_client
from django.db import connections

from conversations import write_behind

AT_WORK = """
    SELECT state, wait_event_type, clock_timestamp() - xact_start, left(query, 120)
    FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
"""
LOCKS = """
    SELECT lock.pid, locktype, objid, mode, granted, state, left(query, 120)
    FROM pg_locks AS lock JOIN pg_stat_activity USING (pid)
    WHERE datname = current_database() AND (locktype = 'advisory' OR NOT granted)
"""


def event_queue() -> str:
    """The stream and its keys, who works in the database, who holds or waits for a lock, and the dead."""
    told = []
    with redis_client.Redis.from_url(os.environ["REDIS_URL"]) as client:
        told.append(f"keys {client.keys('*')}")
        told.append(f"stream {client.xrange(write_behind.STREAM, count=5)}")
        told.append(f"tries {client.hgetall(write_behind.TRIES)}")
        if client.exists(write_behind.STREAM):
            told.append(f"groups {client.xinfo_groups(write_behind.STREAM)}")
    of_ours = connections["default"].get_connection_params()
    with psycopg.connect(
        host=of_ours.get("host"), user=of_ours["user"], dbname=of_ours["dbname"]
    ) as database:
        for name, query in (
            ("at work", AT_WORK),
            ("locks", LOCKS),
            ("calls", "SELECT id, call_id, started_at FROM tools_toolcall ORDER BY started_at DESC LIMIT 5"),
            ("dead", "SELECT kind, error FROM conversations_deadevent LIMIT 5"),
        ):
            told.append(f"{name} {database.execute(query).fetchall()}")
    return "\n".join(told)
