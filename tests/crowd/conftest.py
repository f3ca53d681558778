"""A Starling of real processes, a bot and a worker, with a Telegram and a Claude that listen on loopback."""

import gc
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from billing.price_sync import sync_prices
from config.aio import in_db
from telegram_bot.playground.server import Playground
from tests.crowd.model import Model
from tests.fakes.anthropic import AnthropicStandIn
from tests.faults.bots import Bot, Bots
from tests.faults.workers import Workers

TOKEN = "1000000001:AAcrowdAAcrowdAAcrowdAAcrowdAAcrowd"


@dataclass
class Stage:
    """What surrounds the crowd."""

    telegram: Playground
    claude: AnthropicStandIn
    model: Model
    bot: Bot
    bots: Bots
    workers: Workers


@pytest.fixture
async def stage(process_environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Stage]:
    await in_db(sync_prices)()
    model = Model()
    async with Playground.started(TOKEN) as telegram, AnthropicStandIn.started(model) as claude:
        surroundings = process_environment | {
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_API_URL": telegram.url,
            "ANTHROPIC_API_KEY": "sk-ant-test",
            "ANTHROPIC_BASE_URL": claude.url,
            "DEFAULT_MODEL": "demo",  # which listens to voice notes; everybody chooses Claude
            "STARTING_BALANCE_USD": "20",
            "MEDIA_ROOT": str(tmp_path / "media"),
            "LOG_FORMAT": "json",
        }
        async with (
            Bots.of(surroundings, tmp_path) as bots,
            Workers.of(surroundings, tmp_path) as workers,
        ):
            workers.start("worker")
            bot = await bots.start().started()
            yield Stage(telegram, claude, model, bot, bots, workers)
    gc.collect()
