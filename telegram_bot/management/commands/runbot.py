"""`manage.py runbot`: the bot, by long polling."""

from typing import Any

import uvloop
from django.core.management.base import BaseCommand, CommandError

from telegram_bot import polling
from telegram_bot.inbox import WrongToken


class Command(BaseCommand):
    help = "Run the Telegram bot by long polling, until it is stopped."

    def handle(self, *_args: Any, **_options: Any) -> None:
        try:
            uvloop.run(polling.run())
        except* WrongToken:
            raise CommandError(
                "Telegram does not know TELEGRAM_BOT_TOKEN. Copy the token again from @BotFather into .env."
            ) from None
