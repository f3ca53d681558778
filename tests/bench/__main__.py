"""`make bench`: Starling beside the floor, on the same stand-ins, in one run."""

import argparse
import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from config.local import throw_away
from config.place import Place
from telegram_bot.playground.server import Playground
from tests.bench import events, tools
from tests.bench.bots import ROOT, Bot, running
from tests.bench.load import Stage, median_ms
from tests.fakes.anthropic import AnthropicStandIn

TOKEN = "1000000001:AAbenchAAbenchAAbenchAAbenchAAbench"
QUIET_MS = 100.0  # telegram_bot.bursts.QUIET_SECONDS: Starling waits it out, the floor answers at once
CHATS = (1, 20, 100)
STATEMENT_TURNS = 20


@dataclass
class Figures:
    """One bot's column of the table."""

    name: str
    rows: dict[str, float] = field(default_factory=dict)


async def measure(name: str, environment: dict[str, str], quick: bool, server_log: Path | None) -> Figures:
    figures = Figures(name)
    rows = figures.rows
    async with Playground.started(TOKEN) as telegram, AnthropicStandIn.started() as claude:
        environment = environment | {
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_API_URL": telegram.url,
            "TITLES": "false",  # one more model call in a new conversation, which the floor never makes
            "ANTHROPIC_API_KEY": "sk-ant-bench",
            "ANTHROPIC_BASE_URL": claude.url,
            "DEFAULT_MODEL": "claude-haiku-5-5",
            "LOG_LEVEL": "WARNING",
            "STARTING_BALANCE_USD": "1000",
        }
        polls = lambda: [call for call in telegram.calls if call.method == "getUpdates"]  # noqa: E731
        async with running(name, environment, lambda: polls() or _poll_open(telegram)) as bot:
            await latency(telegram, claude, bot, 1, 2, {})  # warm
            for chats in CHATS:
                await latency(telegram, claude, bot, chats, 2 if quick else 5, rows)
            await throughput(telegram, claude, bot, "at once, 100 chats", 0.0, 100, 5 if quick else 10, rows)
            await throughput(
                telegram, claude, bot, "2 s streams, 200 chats", 2.0, 200, 2 if quick else 4, rows
            )
            rows["peak memory (MB)"] = bot.peak_megabytes()
            if server_log is not None:
                await statements(telegram, claude, server_log, rows)
    return figures


def _poll_open(telegram: Playground) -> bool:
    """A getUpdates is logged when it is answered; one that hangs shows the bot is there."""
    return telegram.state.updates.is_polled


async def latency(
    telegram: Playground,
    claude: AnthropicStandIn,
    bot: Bot,
    chats: int,
    rounds: int,
    rows: dict[str, float],
) -> None:
    """One second streams, people side by side: where the time goes."""
    stage = Stage(telegram, 1.0)
    claude.script = stage.script
    people = await asyncio.gather(*(stage.person(number, rounds) for number in range(chats)))
    for number, turns in enumerate(people):
        stage.note_calls(number, turns)
    turns = [turn for person in people for turn in person]
    quiet = QUIET_MS if bot.name == "starling" else 0.0
    rows[f"update to model request, {chats} chats (ms)"] = (
        median_ms([t.asked - t.sent for t in turns]) - quiet
    )
    rows[f"first token to visible text, {chats} chats (ms)"] = median_ms([t.shown - t.first for t in turns])
    rows[f"last token to final message, {chats} chats (ms)"] = median_ms([t.told - t.last for t in turns])


async def throughput(
    telegram: Playground,
    claude: AnthropicStandIn,
    bot: Bot,
    what: str,
    seconds: float,
    chats: int,
    rounds: int,
    rows: dict[str, float],
) -> None:
    """As many turns as it can: turns a second, and the CPU of the bot's process for each."""
    stage = Stage(telegram, seconds)
    claude.script = stage.script
    began, cpu = time.monotonic(), bot.cpu_seconds()
    await asyncio.gather(*(stage.person(number, rounds) for number in range(chats)))
    turns = chats * rounds
    rows[f"turns per second, {what}"] = turns / (time.monotonic() - began)
    rows[f"CPU per turn, {what} (ms)"] = 1000 * (bot.cpu_seconds() - cpu) / turns


async def statements(
    telegram: Playground, claude: AnthropicStandIn, server_log: Path, rows: dict[str, float]
) -> None:
    """What one text turn asks of PostgreSQL, out of the server's own log: counted last, since logging is slow."""
    stage = Stage(telegram, 0.2)
    claude.script = stage.script
    _log_statements("all")
    begins = server_log.stat().st_size
    await stage.person(0, STATEMENT_TURNS)
    _log_statements("none")
    log = server_log.read_bytes()[begins:].decode(errors="replace")
    asked = re.findall(r"\[(\d+)\] (?:\S+ )?LOG:  (?:statement|execute [^:]*): (\w+)", log)
    opened: dict[
        str, bool
    ] = {}  # process → has its transaction written anything? Who only looked commits nothing
    commits = work = 0
    for process, verb in asked:
        writes = verb in ("INSERT", "UPDATE", "DELETE")
        if verb == "BEGIN":
            opened[process] = False
        elif verb in ("COMMIT", "ROLLBACK"):
            commits += opened.pop(process, False) and verb == "COMMIT"
        elif verb not in ("SAVEPOINT", "RELEASE", "ALTER", "SET", "SHOW"):
            work += 1
            commits += process not in opened and writes
            if process in opened:
                opened[process] |= writes
    rows["PostgreSQL statements per text turn"] = work / STATEMENT_TURNS
    rows["PostgreSQL commits per text turn"] = commits / STATEMENT_TURNS


def _log_statements(which: str) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET log_statement = '{which}'")  # type: ignore[call-overload]
        connection.execute("SELECT pg_reload_conf()")
    time.sleep(0.5)  # the server reads its configuration when it gets to it


def print_table(columns: list[Figures]) -> None:
    """A column beside the one it is measured by."""
    base, measured = columns
    print(f"\n{'figure':<52}{base.name:>14}{measured.name:>14}{'ratio':>8}")
    for row, value in measured.rows.items():
        by = base.rows.get(row)
        ratio = f"{value / by:8.2f}" if by and by > 0 else f"{'–':>8}"
        print(f"{row:<52}{by if by is not None else float('nan'):>14.1f}{value:>14.1f}{ratio}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick = parser.parse_args().quick
    (ROOT / ".local").mkdir(exist_ok=True)
    with _servers() as (place, environment):
        logs = {"floor": None, "starling": place.data / "postgres.log"}
        columns = [asyncio.run(measure(name, environment, quick, log)) for name, log in logs.items()]
    print_table(columns)
    with _servers() as (_, environment):  # of its own: to another Telegram its updates begin anew
        rounds = 5 if quick else 20
        around = [Figures("floor", asyncio.run(tools.floor(rounds)))]
        around.append(Figures("starling", asyncio.run(tools.starling(environment, rounds))))
    print_table(around)
    rates = events.measure(500 if quick else 5_000)
    ways = ("INSERT each", "write-behind")
    beside = [Figures(way, {row: figures[way] for row, figures in rates.items()}) for way in ways]
    print_table(beside)
    columns += beside
    for column, more in zip(columns, around, strict=False):
        column.rows.update(more.rows)
    _keep(columns)


@contextlib.contextmanager
def _servers() -> Iterator[tuple[Place, dict[str, str]]]:
    """PostgreSQL and Redis that are gone afterwards, with Starling's tables, and the environment that names them."""
    with throw_away() as place:
        environment = {
            "DATABASE_URL": place.database_url(),
            "REDIS_URL": place.redis_url(),
            "ENV_FILE": os.devnull,
        }
        os.environ.update(environment)
        subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], cwd=ROOT, check=True)
        yield place, environment


def _keep(columns: list[Figures]) -> None:
    """One JSON per run, with the commit it measured."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    reports = ROOT / ".local" / "reports"
    reports.mkdir(exist_ok=True)
    report = {"commit": commit.stdout.strip(), "figures": {column.name: column.rows for column in columns}}
    path: Path = reports / f"bench-{int(time.time())}.json"
    path.write_text(json.dumps(report, indent=2))
    print(f"\nkept in {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
