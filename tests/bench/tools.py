"""What Starling adds around a tool that does nothing, in the bot and in a worker, beside the smallest loop."""

import asyncio
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from telegram_bot.playground.server import Playground
from tests.bench.bots import ROOT
from tests.bench.load import median_ms
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Answer, Block, Hold, Says, Use, Words
from tests.faults.bots import Bots
from tests.faults.house import house_with
from tests.faults.workers import Workers

NOTHING = ROOT / "tests/bench/dropped/nothing.py"
PLACES = {"nothing_here": "in the bot", "nothing_there": "in a worker"}
PERSON = 60_001
TOKEN = "1000000001:AAtoolsAAtoolsAAtoolsAAtoolsAAtools"


class Clock:
    """Claude's script: calls the tool that is asked for, and measures from its last word to the next request."""

    def __init__(self) -> None:
        self.gaps: dict[str, list[float]] = {name: [] for name in PLACES}
        self._ended: dict[str, float] = {}
        self._numbers = itertools.count()
        self._watching: set[asyncio.Task[None]] = set()

    def __call__(self, body: Block) -> Answer:
        now = time.monotonic()
        content = body["messages"][-1]["content"]
        results = (
            [block for block in content if block["type"] == "tool_result"]
            if isinstance(content, list)
            else []
        )
        if results:
            call = results[0]["tool_use_id"]
            self.gaps[call.rpartition("_")[0].removeprefix("toolu_")].append(now - self._ended.pop(call))
            return Says((Words("Done."),))
        name = "nothing_there" if "nothing_there" in str(content) else "nothing_here"
        call, end = f"toolu_{name}_{next(self._numbers)}", Hold()
        task = asyncio.get_running_loop().create_task(self._note(call, end))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return Says((Words("I do nothing."), Use(name, {}, id=call), end))

    async def _note(self, call: str, end: Hold) -> None:
        await end.reached.wait()
        self._ended[call] = time.monotonic()
        end.until.set()

    def rows(self) -> dict[str, float]:
        return {
            f"around a no-op tool {where} (ms)": median_ms(self.gaps[name]) for name, where in PLACES.items()
        }


async def floor(rounds: int) -> dict[str, float]:
    """The same loop without anything stored, shown or paid: for it both places are one."""
    clock = Clock()
    async with AnthropicStandIn.started(clock) as claude:
        environment = {**os.environ, "ANTHROPIC_API_KEY": "sk-ant-bench", "ANTHROPIC_BASE_URL": claude.url}
        for name in PLACES:
            command = [sys.executable, "-m", "tests.bench.tool_floor", name, str(rounds)]
            await asyncio.to_thread(subprocess.run, command, cwd=ROOT, env=environment, check=True)
    return clock.rows()


async def starling(environment: Mapping[str, str], rounds: int) -> dict[str, float]:
    """A person asks for each tool again and again; a bot and a worker of `long` run side by side."""
    clock = Clock()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        house = house_with(folder / "house", NOTHING)
        async with Playground.started(TOKEN) as telegram, AnthropicStandIn.started(clock) as claude:
            whole = {
                **environment,
                "PYTHONPATH": str(house),
                "TELEGRAM_BOT_TOKEN": TOKEN,
                "TELEGRAM_API_URL": telegram.url,
                "ANTHROPIC_API_KEY": "sk-ant-bench",
                "ANTHROPIC_BASE_URL": claude.url,
                "DEFAULT_MODEL": "claude-haiku-5-5",
                "LOG_FORMAT": "json",
                "TITLES": "false",
            }
            async with Bots.of(whole, folder, house) as bots, Workers.of(whole, folder, house) as workers:
                workers.start("long")
                await bots.start().started()
                person = telegram.person(PERSON)
                for tool in ("nothing_there", *(tool for tool in PLACES for _ in range(rounds))):
                    last = max((message["message_id"] for message in person.messages), default=0)
                    await person.send(tool)
                    await person.wait_for(lambda message: message["text"].endswith("Done."), 120, after=last)
    clock.gaps["nothing_there"].pop(0)  # the worker was still starting
    return clock.rows()
