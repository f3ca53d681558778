"""`manage.py syncprices`: take new prices over from the installed genai-prices package, offline."""

from typing import Any

from django.core.management.base import BaseCommand

from billing.price_sync import sync_prices


class Command(BaseCommand):
    help = "Add a dated price for every model whose published price is new. Safe to run at any time."

    def handle(self, *_args: Any, **_options: Any) -> None:
        changed = sync_prices()
        self.stdout.write(f"New prices: {', '.join(changed)}." if changed else "No price has changed.")
