"""`manage.py doctor`, beside real parts that are up, down, wrong or silent."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from billing.price_sync import seed_prices
from config.aio import in_db
from config.celery import beat_seen, queues_heard
from telegram_bot.playground import Playground
from tests.config.processes import free_port
from tests.conftest import ROOT
from tests.fakes.anthropic import AnthropicStandIn
from tests.waiting import eventually

TOKEN = "1234567890:" + "A" * 35
KEY = "sk-ant-" + "k" * 20
SECRETS = (TOKEN, KEY, "hunter22", "s3cretpassword")
SECONDS_MAX = 60.0  # of two busy cores; by itself it takes some five

pytestmark = pytest.mark.processes


@dataclass
class Told:
    code: int
    lines: list[str]
    seconds: float

    @property
    def wrong(self) -> list[str]:
        return [line[5:] for line in self.lines if line.startswith("BAD")]

    def says(self, words: str) -> bool:
        return any(words in line for line in self.lines)


@pytest.fixture
def environment(process_environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return process_environment | {
        "DJANGO_SETTINGS_MODULE": "tests.doctor.settings",
        "TEST_LOCAL": str(tmp_path),
        "MEDIA_ROOT": str(tmp_path / "media"),
        "TELEGRAM_BOT_TOKEN": TOKEN,
    }


async def doctor(environment: Mapping[str, str]) -> Told:
    """Run it as an operator does."""
    begun = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "manage.py", "doctor",
        cwd=ROOT, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    text = said.decode()
    assert not any(secret in text for secret in SECRETS), text
    assert "Traceback" not in text, text
    assert process.returncode is not None
    return Told(process.returncode, text.splitlines(), time.monotonic() - begun)


async def both_are_there() -> bool:
    return await asyncio.to_thread(lambda: beat_seen() is not None and len(queues_heard(1)) == 2)


@contextmanager
def celery(environment: Mapping[str, str], *words: str) -> Iterator[None]:
    command = [str(Path(sys.executable).parent / "celery"), "-A", "config", *words]
    process = subprocess.Popen(
        command, cwd=ROOT, env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.django_db(transaction=True)
async def test_where_everything_is_up_it_ends_with_0_and_nothing_to_put_right(
    environment: dict[str, str], tmp_path: Path
) -> None:
    await in_db(seed_prices)()
    worker = ("worker", "--pool", "solo", "--queues", "celery,long", "--without-gossip", "--without-mingle")
    async with Playground.started(TOKEN) as telegram, AnthropicStandIn.started(api_key=KEY) as claude:
        there = environment | {
            "TELEGRAM_API_URL": telegram.url,
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": claude.url,
        }
        with celery(there, *worker), celery(there, "beat"):
            await eventually(both_are_there, "a worker and beat", SECONDS_MAX)
            (tmp_path / "bot-alive").touch()
            told = await doctor(there)
    assert told.wrong == [], "\n".join(told.lines)
    assert told.code == 0
    for words in (
        "PostgreSQL",
        "Redis answers",
        "Telegram knows the bot as @starling_bot",
        "Claude takes the key and lists 4 of our 4 models",
        "New people talk to Claude Sonnet 5.5",
        "Formulas can be drawn",
        "Files can be kept in MEDIA_ROOT",
        "The bot hears Telegram",
        "1 worker(s) answer for the role worker",
        "1 worker(s) answer for the role long",
        "Beat sends its tasks",
        "Every model that can be asked has its price",
        "The ledger agrees",
        "All is well.",
    ):
        assert told.says(words), words


async def test_where_everything_is_away_it_says_so_in_time_and_betrays_nothing(
    environment: dict[str, str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and never answers
        mute = f"http://127.0.0.1:{silent.getsockname()[1]}"
        told = await doctor(
            environment
            | {
                "DATABASE_URL": f"postgres://starling:s3cretpassword@127.0.0.1:{free_port()}/starling",
                "REDIS_URL": f"redis://:hunter22@127.0.0.1:{free_port()}/0",
                "TELEGRAM_API_URL": mute,
                "ANTHROPIC_API_KEY": KEY,
                "ANTHROPIC_BASE_URL": mute,
                "OPENAI_API_KEY": KEY,
                "OPENAI_BASE_URL": f"http://127.0.0.1:{free_port()}/v1",
                "OPENAI_MODELS": "qwen3:32b",
            }
        )
    assert told.code == 1
    assert told.seconds < SECONDS_MAX
    for words in (
        "PostgreSQL does not answer at DATABASE_URL",
        "Redis does not answer at REDIS_URL",
        "Telegram does not answer at 127.0.0.1",
        "Claude did not answer within 8 s",
        "Openai does not answer",
    ):
        assert any(words in line for line in told.wrong), "\n".join(told.lines)
    for words in (
        "Turns and updates were not looked at",
        "Workers and beat were not looked at",
        "Prices were not looked at",
        "Holds, payments and updates were not looked at",
        "Files can be kept in MEDIA_ROOT",
    ):
        assert told.says(words), "\n".join(told.lines)


@pytest.mark.django_db(transaction=True)
async def test_what_is_there_and_wrong_is_told_from_what_is_away(environment: dict[str, str]) -> None:
    media = Path(environment["TEST_LOCAL"]) / "a-file"
    media.touch()
    async with Playground.started("1234567890:" + "B" * 35) as telegram, AnthropicStandIn.started() as claude:
        claude.api_key = "another"
        told = await doctor(
            environment
            | {
                "TELEGRAM_API_URL": telegram.url,
                "ANTHROPIC_API_KEY": KEY,
                "ANTHROPIC_BASE_URL": claude.url,
                "MEDIA_ROOT": str(media / "below-a-file"),
                "SANDBOX": "off",
                "DEBUG": "true",
            }
        )
    assert told.code == 1
    for words in (
        "Telegram does not know TELEGRAM_BOT_TOKEN",
        "Claude does not take the key",
        "Files cannot be kept in MEDIA_ROOT",
        "No worker answers for the role worker",
        "No worker answers for the role long",
        "Beat has sent nothing for an hour",
    ):
        assert any(words in line for line in told.wrong), "\n".join(told.lines)
    assert told.says("Python is not offered to the models: SANDBOX is off.")
    assert told.says("DEBUG is true")
    assert told.says("No bot has run from this folder")
