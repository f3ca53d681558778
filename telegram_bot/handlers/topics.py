"""What Telegram says about topics. Nobody said it, so nobody is answered."""

from aiogram import F, Router
from aiogram.types import Message

from config.aio import in_db
from conversations.topics import note_topic
from telegram_bot.intake import topic_of
from telegram_bot.wording import clean


async def on_topic(message: Message) -> None:
    """A topic was opened or renamed: its title is kept."""
    topic, created, edited = topic_of(message), message.forum_topic_created, message.forum_topic_edited
    title = created.name if created is not None else edited.name if edited is not None else None
    if topic is None or not title:  # an edit of the icon only
        return
    await in_db(note_topic)(
        chat_telegram_id=message.chat.id,
        chat_kind=message.chat.type,
        chat_title=clean(message.chat.full_name),
        topic=topic,
        title=clean(title),
        may_be_renamed=created is not None and bool(created.is_name_implicit),
    )


async def on_notice(message: Message) -> None:
    """Closed or opened again: what is sent there finds out by itself whether the bot may write."""


def router() -> Router:
    """What leads here."""
    router = Router(name="topics")
    router.message.register(on_topic, F.forum_topic_created | F.forum_topic_edited)
    router.message.register(
        on_notice,
        F.forum_topic_closed
        | F.forum_topic_reopened
        | F.general_forum_topic_hidden
        | F.general_forum_topic_unhidden,
    )
    return router
