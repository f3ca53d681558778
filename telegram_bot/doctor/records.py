"""What the database knows: prices, and what was begun and never came to its end."""

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Q
from django.db.models.functions import Now

from billing.audit import disagreeing
from billing.models import Hold, Payment, Price, Reconciliation, UnmatchedTransaction
from billing.prices import offered
from conversations.providers import available, models, transcriber
from telegram_bot.doctor.findings import Check, Finding, bad, look, well
from telegram_bot.models import Update

LEAKED = timedelta(minutes=5)  # the sweeper closes a hold within half a minute of its end
STUCK = timedelta(hours=1)
A_DAY = timedelta(days=1)
STATEMENT_MS_MAX = 4000


def _prices() -> Iterator[Finding]:
    try:
        priced = set(offered())
        missing = sorted(available().keys() - priced)
        nowhere = sorted(priced - models().keys())
        heard = transcriber()
        deaf = heard is not None and not Price.objects.filter(item=heard.name, enabled=True).exists()
    except DatabaseError:
        yield look("Prices were not looked at: the database could not be asked.")
        return
    if settings.DEFAULT_MODEL in missing:
        yield bad(
            f"{settings.DEFAULT_MODEL}, the model of new people, has no price: add one in the admin, Prices."
        )
    if others := [name for name in missing if name != settings.DEFAULT_MODEL]:
        yield look(f"Not offered, for they have no price in force: {', '.join(others)}.")
    if nowhere:
        yield look(f"Priced, but no provider offers them (any more): {', '.join(nowhere)}.")
    if deaf and heard is not None:
        yield bad(f"Voice notes are refused: {heard.name} has no price. Add one in the admin, Prices.")
    if not missing:
        yield well("Every model that can be asked has its price.")


def _money() -> Iterator[Finding]:
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = {STATEMENT_MS_MAX}")
        found = list(_unfinished())
    except DatabaseError:
        yield look("Holds, payments and updates were not looked at: the database could not be asked.")
        return
    yield from found or [well("The ledger agrees, and nothing that was begun with money is left open.")]


def _unfinished() -> Iterator[Finding]:
    if wrong := len(disagreeing()):
        yield bad(
            f"The ledger does not agree for {wrong} people: their spending must stop until staff have looked."
        )
    leaked = Hold.objects.filter(state=Hold.State.OPEN, expires_at__lt=Now() - LEAKED).count()
    if leaked:
        yield bad(f"{leaked} holds ran out and are still open: beat or the worker does not run.")
    if flagged := Payment.objects.filter(flagged=True).count():
        yield bad(f"{flagged} payments are flagged: look at them in the admin, Payments.")
    if unmatched := UnmatchedTransaction.objects.filter(settled_at__isnull=True).count():
        yield bad(f"{unmatched} Star transactions belong to no payment: settle them in the admin, Unmatched.")
    stuck = Payment.objects.filter(state__in=Payment.UNDER_WAY)
    if refunds := stuck.filter(Q(refund_called_at__lt=Now() - STUCK) | Q(refund_called_at=None)).count():
        yield bad(f"{refunds} refunds are under way and do not end: the bot asks Telegram, is it running?")
    untold = Payment.objects.filter(state__in=Payment.KEPT, receipt_sent_at=None, paid_at__lt=Now() - STUCK)
    if receipts := untold.count():
        yield bad(f"{receipts} people paid and were not told: the bot sends receipts, is it running?")
    compared = Reconciliation.objects.filter(ran_at__lt=Now() - A_DAY)
    if compared.exists():
        yield bad("Stars were last compared with Telegram's list more than a day ago: is the bot running?")
    given_up = Update.objects.filter(handled_at__gte=Now() - A_DAY, error__gt="").count()
    if given_up:
        yield bad(f"{given_up} updates were given up since yesterday: the admin, Updates, says why each.")


CHECKS = (Check("The prices", _prices, seconds=10), Check("The books", _money, seconds=8))
