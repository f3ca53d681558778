"""`manage.py syncprices`: what the installed genai-prices package says that our prices do not, offline."""

from typing import Any

from django.core.management.base import BaseCommand

from billing.models import Price, PriceProposal
from billing.price_proposals import differences
from billing.price_sync import propose_prices, sync_prices


class Command(BaseCommand):
    help = (
        "Propose every new price to staff, who approve it in the admin; the first prices of all are taken over. "
        "Safe to run at any time."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not Price.objects.exists():
            self.stdout.write(f"First prices: {', '.join(sync_prices())}.")
            return
        propose_prices()
        waiting = PriceProposal.objects.filter(state=PriceProposal.State.WAITING).order_by("item", "pk")
        for proposal in waiting:
            self.stdout.write(_described(proposal))
        self.stdout.write(
            f"{len(waiting)} waiting: approve or refuse them in the admin, Proposed prices."
            if waiting
            else "No price has changed."
        )


def _described(proposal: PriceProposal) -> str:
    """One line: what would change, and when."""
    changes = ", ".join(
        f"{name} {_number(before)} → {_number(after)}" for name, before, after in differences(proposal)
    )
    begins = f"from {proposal.effective_from:%Y-%m-%d}" if proposal.effective_from else "once approved"
    return f"{proposal.item}: {changes or 'the numbers it has'}, {begins}."


def _number(value: object) -> str:
    return (
        "none"
        if value is None
        else f"{value:f}".rstrip("0").rstrip(".")
        if "." in f"{value:f}"
        else f"{value}"
    )
