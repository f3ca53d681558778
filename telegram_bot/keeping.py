"""How long what people said is kept, and how it is erased: each room erases its own, here all are called."""

from django.db import transaction

from accounts.forgetting import forget
from accounts.models import User
from accounts.services import lock_user
from conversations.erasing import erase_said_by, erase_threads, quiet_threads
from conversations.models import DeadEvent, Turn
from telegram_bot.exports import discard
from telegram_bot.models import Export, Update
from tools import long_runs
from tools.models import LongRun, ToolCall
from tools.services import erase_words


def erase_quiet_threads() -> int:
    """Erase the conversations that have been quiet for longer than their people want them kept."""
    people = User.objects.filter(retention__isnull=False, telegram_id__isnull=False)
    return sum(_erase_quiet_threads_of(user_id) for user_id in list(people.values_list("pk", flat=True)))


@transaction.atomic
def _erase_quiet_threads_of(user_id: int) -> int:
    user = lock_user(user_id)
    if user.retention is None or user.telegram_id is None:
        return 0
    threads = quiet_threads(user)
    erase_words(ToolCall.objects.filter(thread__in=threads))
    long_runs.erase(LongRun.objects.filter(thread__in=threads))
    erase_threads(threads)
    return len(threads)


@transaction.atomic
def erase_person(telegram_id: int) -> None:
    """/delete: all that somebody said and all that names them. Raises StillAnswering.

    Payments, operations and what they cost stay, under a row that is nobody's. Again: nothing.
    """
    user = User.objects.select_for_update().filter(telegram_id=telegram_id).first()
    if user is None:
        return
    erase_words(ToolCall.objects.filter(user=user))
    long_runs.erase(LongRun.objects.filter(user=user).exclude(turn__state=Turn.State.RUNNING))
    erase_said_by(user)
    for export in Export.objects.select_for_update().filter(user=user):  # waits for a worker that gathers one
        discard(export)
    _erase_updates(telegram_id)
    # Kept as they were queued, as JSON text without a space.
    DeadEvent.objects.filter(payload__contains=f'"user_id":{user.pk},').delete()
    forget(user)


def _erase_updates(telegram_id: int) -> None:
    """What Telegram sent of them: their private lane whole, and their messages in groups."""
    Update.objects.filter(lane=telegram_id).delete()
    # As json.dumps wrote what Telegram sent: a sender begins with their number.
    theirs = Update.objects.filter(lane__lt=0, payload__contains=f'"from": {{"id": {telegram_id},')
    theirs.filter(handled_at__isnull=False).delete()
