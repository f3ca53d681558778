"""A message that was changed after it was sent: answered anew when it was the last question, else noted.

The history a model has signed may grow but not change, and the last turn is the one place where
nothing stands behind: what it said is superseded whole, and a new turn answers the new words.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db.models import Q

from accounts.models import User
from conversations import said
from conversations.contracts import Model
from conversations.files import Arrived, add_arrivals
from conversations.leases import lease_end
from conversations.models import Message, Thread, Turn
from conversations.parts import File, Part, Parts, Text, named, text_of
from conversations.steps import open_step
from conversations.turns import Claim, new_turn

NOTED_MAX = 2_000  # characters of the old and of the new words in a note


def amend(
    author: User,
    *,
    chat_telegram_id: int,
    telegram_id: int,
    edited_at: datetime,
    parts: Sequence[Part | Arrived],
    owner: str,
    models: Mapping[str, Model],
) -> Claim | None:
    """Take in what a person's message says now; a Claim when that is to be answered at once.

    Call inside a transaction that holds the person's row. The same edit again, or an older one, does nothing.
    """
    thread_id = (
        Message.objects.filter(chat__telegram_id=chat_telegram_id, telegram_id=telegram_id, author=author)
        .values_list("thread", flat=True)
        .first()
    )
    if thread_id is None:
        return None  # a command, or a message that was never taken in
    thread = Thread.objects.select_for_update(of=("self",)).select_related("chat").get(pk=thread_id)
    message = Message.objects.get(thread=thread, telegram_id=telegram_id)
    if message.edited_at is not None and message.edited_at > edited_at:
        return None
    message.edited_at = edited_at
    if _same(message.parts, parts) or not thread.is_current:
        message.save(update_fields=["edited_at"])
        return None
    (now,) = add_arrivals(thread, user_id=author.pk, messages=[parts])
    turns = Turn.objects.filter(thread=thread).order_by("-pk")
    last = turns.first()
    if message.seq is None:
        message.parts = now  # nobody has read it yet
    elif last is not None and last.state == Turn.State.RUNNING and message.turn_id == last.pk:
        _wait(message, author, "user", (Text("[I have edited my message. It now reads:]"), *now))
    elif last is not None and _asked_last(message, last, thread):
        message.parts = now
        message.save(update_fields=["parts", "edited_at"])
        return _answer_anew(message, thread, author, owner, models)
    else:
        _wait(message, author, "system", (Text(_note(message.parts, now)),))
    message.save(update_fields=["parts", "edited_at"])
    return None


def _asked_last(message: Message, last: Turn, thread: Thread) -> bool:
    """Is nothing said behind what answers this message, and has no summary taken its words over?"""
    if last.state == Turn.State.RUNNING or message.seq is None or message.seq < thread.epoch_begins:
        return False
    later = Message.objects.filter(thread_id=message.thread_id, role="user", author__isnull=False)
    later = later.filter(Q(turn__pk__gt=message.turn_id) | Q(seq__isnull=True))
    return not later.exists()


def _answer_anew(
    message: Message, thread: Thread, author: User, owner: str, models: Mapping[str, Model]
) -> Claim:
    """Supersede whatever was said since the question, and begin a turn for it."""
    answers = Message.objects.filter(thread=thread, turn__pk__gte=message.turn_id, superseded=False)
    answers = answers.filter(seq__gt=thread.epoch_begins)  # a summary of what was said before stands
    answers.filter(Q(role="assistant") | Q(role="user", author__isnull=True)).update(superseded=True)
    said.forget(thread.pk)
    until = lease_end()
    turn = new_turn(thread, author, owner, models)
    return Claim(turn, open_step(turn, models[turn.model]), until)


def _wait(message: Message, author: User, role: str, parts: Parts) -> None:
    """Say something behind everything said so far, when the next turn or step takes it in."""
    Message.objects.create(
        thread_id=message.thread_id, chat_id=message.chat_id, author=author, role=role, parts=parts
    )


def _note(before: Parts, now: Parts) -> str:
    return (
        "The person has edited an earlier message of theirs. "
        f"It read: «{_words(before)}». It now reads: «{_words(now)}»."
    )


def _words(parts: Parts) -> str:
    words = " ".join([text_of(parts), *(named(part) for part in parts if isinstance(part, File))]).strip()
    return words if len(words) <= NOTED_MAX else f"{words[:NOTED_MAX]}…"


def _same(before: Parts, now: Sequence[Part | Arrived]) -> bool:
    """Does the message say what it said? Telegram reports a link's preview as an edit too."""

    def shape(parts: Sequence[Part | Arrived]) -> list[object]:
        return [
            part.text if isinstance(part, Text) else (part.name, part.size)
            for part in parts
            if isinstance(part, Text | File | Arrived)
        ]

    return shape(before) == shape(now)
