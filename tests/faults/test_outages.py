"""PostgreSQL and Redis away under a conversation: words in the log, nothing lost, and it goes on by itself."""

import asyncio
import os
import subprocess
import sys

import psycopg
import pytest

from config.local import Postgres, Redis
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Says, Words
from tests.faults.bots import ROOT, Bots
from tests.faults.conftest import MODEL, TOKEN

pytestmark = pytest.mark.processes

PEOPLE = range(70_001, 70_006)
AWAY_SECONDS = 8.0  # `make soak` waits the whole minute


@pytest.mark.parametrize("seconds", [AWAY_SECONDS, pytest.param(60.0, marks=pytest.mark.soak)])
async def test_postgresql_and_redis_away_under_load_lose_nothing(
    own_postgres: Postgres, own_redis: Redis, tmp_path, seconds: float
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
    async with (
        Playground.started(TOKEN) as telegram,
        AnthropicStandIn.started(lambda _body: Says((Words("An answer " * 20),), delay=0.05)) as claude,
        Bots.of(
            {**environment, "TELEGRAM_API_URL": telegram.url, "ANTHROPIC_BASE_URL": claude.url}, tmp_path
        ) as bots,
    ):
        bot = await bots.start().started()
        people = [telegram.person(number) for number in PEOPLE]
        for away in (own_postgres, own_redis):
            last = [max((m["message_id"] for m in person.messages), default=0) for person in people]
            for person in people:
                await person.send("Before the outage")
            await asyncio.sleep(0.4)  # some are being answered, some are still in the inbox
            await asyncio.to_thread(away.stop, at_once=True)
            for person in people:
                await person.send("During the outage")
            await asyncio.sleep(seconds)
            await asyncio.to_thread(away.start)
            for person, number in zip(people, last, strict=True):
                await person.wait_until(lambda p=person, n=number: _answered(p, n), 90)
        assert bot.said("database.away")
        assert bot.process.poll() is None
        with psycopg.connect(own_postgres.place.database_url()) as database:
            (waiting,) = database.execute(
                "SELECT count(*) FROM conversations_message WHERE seq IS NULL"
            ).fetchone()
            (dead,) = database.execute(
                "SELECT count(*) FROM telegram_bot_update WHERE error <> ''"
            ).fetchone()
            (wrong,) = database.execute(
                "SELECT count(*) FROM accounts_user u WHERE balance <>"
                " (SELECT coalesce(sum(amount), 0) FROM billing_balanceoperation o WHERE o.user_id = u.id)"
            ).fetchone()
        print(
            f"\naway {seconds:.0f} s each: messages lost {waiting}, updates dead {dead}, balances wrong {wrong}"
        )
        assert (waiting, dead, wrong) == (0, 0, 0)


def _answered(person, after: int):
    """The last word is the bot's, and it came behind both questions."""
    newer = [message for message in person.messages if message["message_id"] > after]
    asked = [message["message_id"] for message in newer if not message["from"]["is_bot"]]
    told = [message for message in newer if message["from"]["is_bot"]]
    return told[-1] if len(asked) == 2 and told and told[-1]["message_id"] > asked[-1] else None
