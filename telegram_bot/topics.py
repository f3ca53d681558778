"""A name for a topic that nobody has named."""

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError
from aiogram.methods import EditForumTopic

from config.aio import in_db
from conversations import topics

log = structlog.get_logger(__name__)


async def name_topic(bot: Bot, thread_id: int, title: str) -> bool:
    """Call a private topic by the title of its conversation, unless a person has named it. Never fatal."""
    title = " ".join(title.split())[: topics.TITLE_MAX]
    place = await in_db(topics.nameless)(thread_id)
    if place is None or not title:
        return False
    chat_id, topic = place
    try:
        await bot(EditForumTopic(chat_id=chat_id, message_thread_id=topic, name=title))
    except TelegramAPIError as error:
        log.info("topic.not_named", thread=thread_id, reason=error.message)
        return False
    await in_db(topics.named)(thread_id, title)
    return True
