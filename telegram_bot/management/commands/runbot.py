"""`manage.py runbot`: the bot, by long polling or by a webhook."""

from typing import Any

import uvloop
from django.core.management.base import BaseCommand, CommandError, CommandParser

from telegram_bot import polling, webhook
from telegram_bot.inbox import WrongToken


class Command(BaseCommand):
    help = "Run the Telegram bot, until it is stopped: by long polling, or with --webhook by what Telegram posts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--webhook", action="store_true", help="Listen for what Telegram posts to TELEGRAM_WEBHOOK_URL."
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        intake = polling.by_polling
        if options["webhook"]:
            webhook.checked()
            intake = webhook.by_webhook
        try:
            uvloop.run(polling.run(intake))
        except* WrongToken:
            raise CommandError(
                "Telegram does not know TELEGRAM_BOT_TOKEN. Copy the token again from @BotFather into .env."
            ) from None
