"""A person's conversations as they see them listed: those of their plain private chat."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from accounts.models import User
from conversations.errors import NoThread
from conversations.models import Message, Thread
from conversations.parts import text_of

FIRST_WORDS_MAX = 40  # characters that stand for a title
TITLE_MAX = 64  # characters a person may give; more would not fit a button


@dataclass(frozen=True, slots=True)
class Listed:
    """One conversation of the list."""

    id: int
    title: str  # given, or the first words
    is_current: bool
    messages: int  # said by both sides


def list_threads(person: int, *, page: int, size: int) -> tuple[list[Listed], int]:
    """One page of a person's conversations, the one used last first, and how many pages there are.

    `person` is Telegram's id, which is also that of their private chat. A page behind the last is the last.
    """
    threads = _shown(person)
    pages = max(1, -(-threads.count() // size))
    page = min(max(page, 0), pages - 1)
    latest = threads.annotate(latest=Max("messages__pk")).order_by("-latest", "-pk")
    found = list(latest[page * size : (page + 1) * size])
    firsts = Message.objects.filter(thread__in=found, role="user", seq__isnull=False)
    words = {row.thread_id: text_of(row.parts) for row in firsts.order_by("thread", "seq").distinct("thread")}
    return [_listed(thread, words.get(thread.pk, "")) for thread in found], pages


def look_at(person: int, thread_id: int) -> Listed:
    """One conversation. Raises NoThread when it is not theirs, or was taken off the list."""
    thread = _get(person, thread_id)
    first = thread.messages.filter(role="user", seq__isnull=False).order_by("seq").first()
    return _listed(thread, text_of(first.parts) if first is not None else "")


@transaction.atomic
def switch_to(person: int, thread_id: int) -> Listed:
    """Go on with this conversation: what is written from now on belongs to it. Raises NoThread."""
    User.objects.select_for_update().get(telegram_id=person)
    thread = _get(person, thread_id)
    lane = Thread.objects.select_for_update().filter(chat=thread.chat_id, topic=None, is_current=True)
    lane.exclude(pk=thread.pk).update(is_current=False)
    thread.is_current = True
    thread.save(update_fields=["is_current"])
    return look_at(person, thread_id)


def rename_thread(person: int, thread_id: int, title: str) -> str:
    """Give a conversation a title; returns it as it is kept. Raises NoThread."""
    title = " ".join(title.split())[:TITLE_MAX]
    thread = _get(person, thread_id)
    thread.title = title
    thread.save(update_fields=["title"])
    return title


@transaction.atomic
def hide_thread(person: int, thread_id: int) -> bool:
    """Take a conversation off the list for good; was it the current one? Raises NoThread.

    It is never said to a model again. Its words and its bills stay: /delete is what erases.
    """
    User.objects.select_for_update().get(telegram_id=person)
    thread = _get(person, thread_id)
    was_current, thread.is_current, thread.hidden_at = thread.is_current, False, timezone.now()
    thread.save(update_fields=["is_current", "hidden_at"])
    return was_current


def _shown(person: int) -> QuerySet[Thread]:
    threads = Thread.objects.filter(chat__telegram_id=person, chat__kind="private", topic__isnull=True)
    return threads.filter(hidden_at__isnull=True, last_seq__gt=0)


def _get(person: int, thread_id: int) -> Thread:
    thread = _shown(person).filter(pk=thread_id).first()
    if thread is None:
        raise NoThread(f"thread {thread_id} of person {person}")
    return thread


def _listed(thread: Thread, first_words: str) -> Listed:
    title = thread.title or " ".join(first_words.split())
    if len(title) > FIRST_WORDS_MAX and not thread.title:
        title = title[:FIRST_WORDS_MAX].rstrip() + "…"
    return Listed(thread.pk, title or "…", thread.is_current, thread.last_seq)
