"""PostgreSQL and Redis away while people write: what is answered meanwhile, what afterwards, and nothing lost."""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from config.local import Postgres, Redis
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Answer, Block, Says, Words
from tests.faults.bots import ROOT, Bots
from tests.faults.conftest import MODEL, TOKEN
from tests.faults.report import percentile, publish

pytestmark = pytest.mark.processes

FIRST_PERSON = 70_000
SIDE_BY_SIDE = 5  # people in the middle of an answer when the server goes
COMERS = 12  # who write while it is away, one after the other
AWAY_SECONDS = 4.0  # `make soak` waits the whole minute
ANSWER_SECONDS_MAX = 90.0  # behind the server's return


@dataclass
class Outage:
    """Questions put around one server's absence: when each was put, and when it was answered."""

    telegram: Playground
    first_person: int
    asked: dict[int, float] = field(default_factory=dict)
    answered: dict[int, float] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)  # what else people were told

    async def ask(self) -> None:
        """Somebody new asks something, and waits for the answer as long as it takes."""
        number = self.first_person + len(self.asked)
        self.asked[number] = time.monotonic()
        person = self.telegram.person(number)
        await person.send(f"Question {number}")
        reply = await person.wait_for(lambda message: f"Answer {number}" in message["text"], 300)
        self.answered[number] = time.monotonic()
        self.told.update(message["text"] for message in person.replies if message is not reply)

    async def around(self, server: Postgres | Redis, seconds: float) -> dict[str, Any]:
        asking = [asyncio.create_task(self.ask()) for _ in range(SIDE_BY_SIDE)]
        await asyncio.sleep(0.6)  # some are being answered, some are still in the inbox
        await asyncio.to_thread(server.stop, at_once=True)
        gone = time.monotonic()
        for _ in range(COMERS):
            asking.append(asyncio.create_task(self.ask()))
            await asyncio.sleep(seconds / COMERS)
        await asyncio.to_thread(server.start)
        back = time.monotonic()
        _, late = await asyncio.wait(asking, timeout=ANSWER_SECONDS_MAX)
        for task in late:
            task.cancel()
        waits = [self.answered[number] - self.asked[number] for number in self.answered]
        meanwhile = [at for at in self.answered.values() if at < back]
        return {
            "away": server.name,
            "s": back - gone,
            "questions": len(self.asked),
            "answered meanwhile": len(meanwhile),
            "afterwards": len(self.answered) - len(meanwhile),
            "never": len(self.asked) - len(self.answered),
            "said besides": "; ".join(f"{text!r} {count}×" for text, count in self.told.items()) or "nothing",
            "s waited, p50": percentile(waits, 0.5),
            "max": max(waits),
            "s from its return to the last answer": max(0.0, max(self.answered.values()) - back),
        }


def speak(body: Block) -> Answer:
    """An answer of about two seconds to the last question."""
    said = [message for message in body["messages"] if message["role"] == "user"][-1]["content"]
    words = said if isinstance(said, str) else said[-1]["text"]
    return Says((Words(f"Answer {words.rpartition(' ')[2]} " + "word " * 20),), delay=0.05)


@pytest.mark.parametrize("seconds", [AWAY_SECONDS, pytest.param(60.0, marks=pytest.mark.soak)])
async def test_postgresql_and_redis_away_under_load_lose_nothing(
    own_postgres: Postgres, own_redis: Redis, tmp_path, capsys, seconds: float
):
    environment = {
        "DATABASE_URL": own_postgres.place.database_url(),
        "REDIS_URL": own_redis.place.redis_url(),
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "ANTHROPIC_API_KEY": "sk-ant-test",
        "DEFAULT_MODEL": MODEL,
        "LOG_FORMAT": "json",
    }
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    await asyncio.to_thread(subprocess.run, migrate, cwd=ROOT, env={**os.environ, **environment}, check=True)
    async with Playground.started(TOKEN) as telegram, AnthropicStandIn.started(speak) as claude:
        environment |= {"TELEGRAM_API_URL": telegram.url, "ANTHROPIC_BASE_URL": claude.url}
        async with Bots.of(environment, tmp_path) as bots:
            bot = await bots.start().started()
            rows = []
            for number, server in enumerate((own_postgres, own_redis)):
                outage = Outage(telegram, FIRST_PERSON + 1000 * number)
                rows.append(await outage.around(server, seconds))
            lost = await asyncio.to_thread(_left_behind, own_postgres)
            title = "A server away while people write: " + ", ".join(
                f"{n} {what}" for what, n in lost.items()
            )
            publish(capsys, "outages", title, rows)
            assert [row["never"] for row in rows] == [0, 0]
            assert set(lost.values()) == {0}
            assert rows[1]["answered meanwhile"] >= COMERS - 1, "without Redis the bot goes on answering"
            assert bot.said("database.away")
            assert bot.process.poll() is None


def _left_behind(postgres: Postgres) -> dict[str, int]:
    """What should not be: by name, and how often."""
    queries = {
        "messages waiting": "SELECT count(*) FROM conversations_message WHERE seq IS NULL",
        "updates dead": "SELECT count(*) FROM telegram_bot_update WHERE error <> ''",
        "balances wrong": "SELECT count(*) FROM accounts_user u WHERE balance <>"
        " (SELECT coalesce(sum(amount), 0) FROM billing_balanceoperation o WHERE o.user_id = u.id)",
    }
    with psycopg.connect(postgres.place.database_url()) as database:
        return {name: database.execute(query).fetchone()[0] for name, query in queries.items()}
