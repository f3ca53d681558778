"""Telegram's topics: what they are called, and which of them still wait for a name."""

from django.db import transaction

from conversations.models import Chat, Thread, Topic
from conversations.threads import sync_chat

TITLE_MAX = 128  # characters; Bot API, editForumTopic


@transaction.atomic
def note_topic(
    *,
    chat_telegram_id: int,
    chat_kind: str,
    chat_title: str,
    topic: int,
    title: str,
    may_be_renamed: bool = False,
) -> None:
    """Remember what a topic is called from now on; its conversations are called the same."""
    chat = sync_chat(telegram_id=chat_telegram_id, kind=chat_kind, title=chat_title)
    names = {"title": title[:TITLE_MAX], "may_be_renamed": may_be_renamed}
    Topic.objects.update_or_create(chat=chat, telegram_id=topic, defaults=names)
    if not may_be_renamed:
        Thread.objects.filter(chat=chat, topic=topic).update(title=title[:TITLE_MAX])


def title_of(chat: Chat, topic: int) -> str:
    """What somebody has called a topic, as far as its service messages have reached us; else nothing yet."""
    known = Topic.objects.filter(chat=chat, telegram_id=topic, may_be_renamed=False)
    return known.values_list("title", flat=True).first() or ""


def nameless(thread_id: int) -> tuple[int, int] | None:
    """Telegram's ids of the private chat and the topic of a thread, when the bot is to find a name for it."""
    topic = _topic_of(thread_id)
    if topic is None or not topic.may_be_renamed or topic.chat.kind != Chat.Kind.PRIVATE:
        return None
    return topic.chat.telegram_id, topic.telegram_id


@transaction.atomic
def named(thread_id: int, title: str) -> None:
    """The bot has given a thread's topic a name; from now on it is as good as a person's."""
    if (topic := _topic_of(thread_id)) is None:
        return
    topic.title, topic.may_be_renamed = title, False
    topic.save(update_fields=["title", "may_be_renamed"])
    Thread.objects.filter(chat=topic.chat, topic=topic.telegram_id).update(title=title)


def _topic_of(thread_id: int) -> Topic | None:
    thread = Thread.objects.get(pk=thread_id)
    if thread.topic is None:
        return None
    topics = Topic.objects.filter(chat=thread.chat_id, telegram_id=thread.topic)
    return topics.select_related("chat").first()
