"""Erasing what was said: whole threads, never a stretch of one.

A signed history is valid only while everything before it keeps its bytes, so a thread that goes on is
not touched, and one that was touched does not go on.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.models import User
from conversations import cache
from conversations.models import Chat, Message, StaleCopy, Thread, Transcript, Turn, UserFile
from conversations.parts import Text

Of = StaleCopy.Of
FORGET = {Of.THREAD: cache.forget, Of.USER: cache.forget_user}
ERASED = (Text("…"),)  # what stands in a group where a person's words were; never said to a model again
ERASED_TITLE = "…"  # and not none, or one would be made of what is left


class StillAnswering(Exception):
    """A turn of this person is under way: what it is writing cannot be erased yet."""


def stop_all_of(telegram_id: int) -> list[int]:
    """Mark every running turn of a person as to be stopped; returns them."""
    running = Turn.objects.filter(user__telegram_id=telegram_id, state=Turn.State.RUNNING)
    turns = list(running.values_list("pk", flat=True))
    running.update(stop_requested=True)
    return turns


def private_threads(user: User) -> QuerySet[Thread]:
    """The threads of a person's chat with the bot; there a chat has its person's number."""
    if user.telegram_id is None:
        return Thread.objects.none()
    return Thread.objects.filter(chat__kind=Chat.Kind.PRIVATE, chat__telegram_id=user.telegram_id)


def quiet_threads(user: User) -> list[int]:
    """Private threads in which nothing was said for as long as the person wants them kept. Call under their lock."""
    assert user.retention is not None
    oldest = timezone.now().date() - timedelta(days=user.retention)
    running = Turn.objects.filter(thread=OuterRef("pk"), state=Turn.State.RUNNING)
    waiting = Message.objects.filter(thread=OuterRef("pk"), seq__isnull=True)
    quiet = private_threads(user).filter(
        Q(spoken_on__lt=oldest) | Q(spoken_on__isnull=True, created_at__date__lt=oldest),
        ~Exists(running),
        ~Exists(waiting),
    )
    return list(quiet.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))


def erase_threads(thread_ids: Sequence[int]) -> None:
    """Erase threads with their messages, turns and files. What they cost stands in the ledger."""
    _erase_files(UserFile.objects.filter(thread__in=thread_ids))
    _erase_from_log(thread_ids)
    Thread.objects.filter(pk__in=thread_ids).delete()
    _drop_copies([StaleCopy(of=Of.THREAD, number=thread) for thread in thread_ids])


def erase_said_by(user: User) -> None:
    """Erase everything a person said anywhere, and what was answered them. Raises StillAnswering.

    Their private chat goes whole. In groups their words and the answers to them are blanked, and the
    group's conversation starts afresh. Call with their row locked.
    """
    if Turn.objects.filter(user=user, state=Turn.State.RUNNING).exists():
        raise StillAnswering(f"user {user.pk}")
    mine = private_threads(user)
    erase_threads(list(mine.select_for_update(of=("self",)).values_list("pk", flat=True)))
    if user.telegram_id is not None:
        Chat.objects.filter(kind=Chat.Kind.PRIVATE, telegram_id=user.telegram_id).delete()
    said = Message.objects.filter(Q(author=user) | Q(turn__user=user))
    said.filter(seq__isnull=True).delete()  # waiting, and not to be answered any more
    touched = list(said.order_by("thread").values_list("thread", flat=True).distinct())
    Message.objects.filter(pk__in=said.values("pk")).update(parts=ERASED)
    _erase_files(UserFile.objects.filter(user=user))
    Transcript.objects.filter(user=user).delete()
    _erase_from_log(touched)
    Thread.objects.filter(pk__in=touched).update(is_current=False, title=ERASED_TITLE)
    copies = [StaleCopy(of=Of.THREAD, number=thread) for thread in touched]
    _drop_copies([*copies, StaleCopy(of=Of.USER, number=user.pk)])


def _drop_copies(stale: Sequence[StaleCopy]) -> None:
    """Have the cache forget what it copied, behind the commit; the rows are for a process that dies there."""
    StaleCopy.objects.bulk_create(stale)
    transaction.on_commit(partial(drop_copies, stale))


def drop_stale_copies() -> int:
    """Drop every copy that is still to go, of processes that were killed too; returns how many went."""
    return drop_copies(StaleCopy.objects.order_by("pk"))


def drop_copies(stale: Iterable[StaleCopy]) -> int:
    """Drop these copies; a row stays for as long as Redis does not answer."""
    dropped = [copy.pk for copy in stale if FORGET[Of(copy.of)](copy.number)]
    StaleCopy.objects.filter(pk__in=dropped).delete()
    return len(dropped)


def _erase_files(files: QuerySet[UserFile]) -> None:
    """The bytes first: killed in between, the rows still say what is left to erase."""
    for file in files.iterator():
        file.stored.delete(save=False)
        file.shown.delete(save=False)
    files.delete()


def _erase_from_log(thread_ids: Sequence[int]) -> None:
    """The log of what staff looked at stays; it called a thread by its title."""
    about = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Thread), object_id__in=[str(pk) for pk in thread_ids]
    )
    about.update(object_repr="an erased thread")
