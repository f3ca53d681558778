"""A Starling of real processes: the bot, PostgreSQL and Redis; Telegram and Claude listen on loopback."""

import gc
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from billing.price_sync import sync_prices
from config.aio import in_db
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.faults.bots import Bots
from tests.faults.model import Model
from tests.faults.telegram import HeldTelegram
from tests.faults.wire import Wire

TOKEN = "1000000001:AAfaultsAAfaultsAAfaultsAAfaultsAAf"
MODEL = "claude-haiku-5-5"


@dataclass
class Stage:
    """Everything around the bot processes of one test."""

    telegram: HeldTelegram
    claude: AnthropicStandIn
    model: Model
    wire: Wire
    bots: Bots

    def person(self, number: int) -> Person:
        return self.telegram.person(number, first_name=f"P{number}")


@pytest.fixture
async def telegram() -> AsyncIterator[HeldTelegram]:
    async with HeldTelegram.started(TOKEN) as playground:
        yield playground
        playground.drop()


@pytest.fixture
async def model() -> Model:
    return Model()


@pytest.fixture
async def claude(model: Model) -> AsyncIterator[AnthropicStandIn]:
    async with AnthropicStandIn.started(model) as stand_in:
        yield stand_in


@pytest.fixture
def surroundings(
    process_environment: dict[str, str], telegram: HeldTelegram, claude: AnthropicStandIn, tmp_path: Path
) -> dict[str, str]:
    """The environment of every bot process of a test."""
    return {
        **process_environment,
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_API_URL": telegram.url,
        "ANTHROPIC_API_KEY": "sk-ant-test",
        "ANTHROPIC_BASE_URL": claude.url,
        "DEFAULT_MODEL": MODEL,
        "MEDIA_ROOT": str(tmp_path / "media"),
        "LOG_FORMAT": "json",
    }


@pytest.fixture
async def stage(
    surroundings: dict[str, str],
    telegram: HeldTelegram,
    claude: AnthropicStandIn,
    model: Model,
    tmp_path: Path,
) -> AsyncIterator[Stage]:
    """Bots on the test's own database, each through the wire."""
    await in_db(sync_prices)()
    async with Wire.started(surroundings["DATABASE_URL"]) as wire:
        # A thread for every transaction that stands still, and some that go on.
        changes = {"DATABASE_URL": wire.url, "DB_THREADS": "40"}
        async with Bots.of({**surroundings, **changes}, tmp_path) as bots:
            yield Stage(telegram, claude, model, wire, bots)
    gc.collect()
