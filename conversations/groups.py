"""Groups: whose question it is, whether the bot is still there, and the number that changes."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from conversations.models import Chat, Message, Thread, Turn


@dataclass(frozen=True, slots=True)
class Asked:
    """A running turn and who asked it."""

    turn: int
    telegram_id: int | None
    name: str


def running_in(chat_telegram_id: int, topic: int | None) -> list[Asked]:
    """What is being answered in a lane."""
    running = Turn.objects.filter(
        state=Turn.State.RUNNING, thread__chat__telegram_id=chat_telegram_id, thread__topic=topic
    )
    return [_asked(turn) for turn in running.select_related("user")]


def asked(turn_id: int) -> Asked | None:
    """Who asked a turn, running or not."""
    turn = Turn.objects.filter(pk=turn_id).select_related("user").first()
    return None if turn is None else _asked(turn)


def _asked(turn: Turn) -> Asked:
    return Asked(turn.pk, turn.user.telegram_id, turn.user.display_name)


def request_stop_of(turn_id: int) -> bool:
    """Mark one turn as to be stopped; False when it has ended."""
    running = Turn.objects.filter(pk=turn_id, state=Turn.State.RUNNING)
    return bool(running.update(stop_requested=True))


def question_of(turn: Turn) -> int | None:
    """Telegram's id of the message that a turn answers; a turn that was asked again answers the first one's."""
    said = Message.objects.filter(thread_id=turn.thread_id, author_id=turn.user_id, turn_id__lte=turn.pk)
    said = said.filter(role="user", telegram_id__isnull=False).order_by("-turn_id", "seq")
    return said.values_list("telegram_id", flat=True).first()


def greet_group(*, telegram_id: int, kind: str, title: str) -> bool:
    """The bot is in a group from now on; True when it was not before."""
    chat, is_new = Chat.objects.get_or_create(
        telegram_id=telegram_id, defaults={"kind": kind, "title": title}
    )
    return is_new or bool(Chat.objects.filter(pk=chat.pk, dead_at__isnull=False).update(dead_at=None))


def leave_group(telegram_id: int) -> None:
    """The bot was thrown out, or the group is gone."""
    Chat.objects.filter(telegram_id=telegram_id, dead_at__isnull=True).update(dead_at=timezone.now())


def set_thread_dead(thread_id: int) -> None:
    """Nothing can be sent to its topic any more; a message from there brings it back."""
    Thread.objects.filter(pk=thread_id, dead_at__isnull=True).update(dead_at=timezone.now())


@transaction.atomic
def migrate_chat(*, old: int, new: int) -> None:
    """A group became a supergroup: the same chat under another number, with its threads.

    A supergroup counts its messages from one again, so the old numbers, which would be taken for new
    messages delivered twice, are made negative. Told twice or the other way round, it is done once.
    """
    chat = Chat.objects.select_for_update().filter(telegram_id=old).first()
    if chat is None:
        return
    Message.objects.filter(chat=chat, telegram_id__gt=0).update(telegram_id=-F("telegram_id"))
    early = Chat.objects.select_for_update().filter(telegram_id=new).first()
    if early is not None:  # somebody wrote in the supergroup before we were told
        newer = Thread.objects.filter(chat=early, is_current=True)
        lanes = list(newer.values_list("topic", flat=True))
        current = Thread.objects.filter(chat=chat, is_current=True)
        for lane in lanes:
            current.filter(topic=lane).update(is_current=False)
        Thread.objects.filter(chat=early).update(chat=chat)
        Message.objects.filter(chat=early).update(chat=chat)
        early.delete()
    chat.telegram_id, chat.kind, chat.dead_at = new, Chat.Kind.SUPERGROUP, None
    chat.save(update_fields=["telegram_id", "kind", "dead_at"])
