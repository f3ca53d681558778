"""`manage.py doctor`: what an operator needs to know, in one go."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from config.logging import redactor
from telegram_bot.doctor import Mark, checks, examined


class Command(BaseCommand):
    help = "Say what is well, what is worth knowing and what is wrong, with what to do. Ends with 1 if anything is."
    requires_system_checks = []  # it makes them itself, and tells of them

    def handle(self, *_args: Any, **_options: Any) -> None:
        redact = redactor(settings.LOGGING["secrets"])
        wrong = 0
        for _, found in examined(checks()):
            for finding in found:
                self.stdout.write(f"{finding.mark:<5}{redact(finding.words)}")
                wrong += finding.mark is Mark.BAD
        self.stdout.write("")
        self.stdout.write(f"{wrong} to put right." if wrong else "All is well.")
        if wrong:
            raise SystemExit(1)
