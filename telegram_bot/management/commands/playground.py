"""`manage.py playground`: the Telegram stand-in and its chat page, for a machine without a bot token."""

from __future__ import annotations

import asyncio
import signal
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from telegram_bot.playground import Playground
from telegram_bot.playground.demo import furnish


class Command(BaseCommand):
    """Run the playground until it is interrupted."""

    help = (
        "Run a strict Telegram stand-in with a chat page on 127.0.0.1, for development without a bot token."
    )
    requires_system_checks: list[str] = []  # it needs no database

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=None, help="instead of PLAYGROUND_PORT")
        parser.add_argument("--pace", action="store_true", help="answer 429 as Telegram does to a hasty bot")

    def handle(self, *_: Any, **options: Any) -> None:
        if not settings.PLAYGROUND:
            raise CommandError("The playground does not run while TELEGRAM_BOT_TOKEN names a real bot.")
        port = settings.PLAYGROUND_PORT if options["port"] is None else options["port"]
        try:
            asyncio.run(self._run(port, pace=options["pace"]))
        except OSError as error:
            words = f"The playground cannot listen on port {port}: set PLAYGROUND_PORT to a free one."
            raise CommandError(words) from error

    async def _run(self, port: int, *, pace: bool) -> None:
        stopping = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        pages = settings.BASE_DIR / "templates" / "playground"
        async with Playground.started(
            settings.TELEGRAM_BOT_TOKEN, port=port, pages=pages, pace=pace
        ) as telegram:
            furnish(telegram)
            self.stdout.write(f"The playground is at {telegram.url}")
            self.stdout.flush()
            await stopping.wait()
