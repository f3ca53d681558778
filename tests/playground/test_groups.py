"""Groups in the stand-in: what a bot gets to see there, and what Telegram refuses it."""

import pytest
from aiogram import Bot
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramRetryAfter,
)
from aiogram.types import EphemeralMessageParameters, ReplyParameters

from telegram_bot.playground import GroupChat, Impossible, Member, Person, Playground
from tests.playground.conftest import ANNA

GROUP = -1001000000009
BORIS = 1002


@pytest.fixture
def boris(telegram: Playground) -> Person:
    return telegram.person(BORIS)


@pytest.fixture
def group(telegram: Playground, anna: Person, boris: Person) -> GroupChat:
    return telegram.group(GROUP, "Hiking", anna, boris)


@pytest.fixture
def member(group: GroupChat) -> Member:
    return group.member(ANNA)


async def seen(bot: Bot) -> list[str | None]:
    return [update.message.text for update in await bot.get_updates() if update.message]


async def test_in_privacy_mode_a_bot_sees_what_is_meant_for_it(bot: Bot, group: GroupChat, member: Member):
    answer = await bot.send_message(GROUP, "I am here")
    await member.send("hello all")
    await member.send("@Starling_Bot hello")
    await member.send("/start")
    await member.send("/start@starling_bot")
    await member.send("/start@other_bot")
    await member.send("yes", reply_to=answer.message_id)
    await member.send("mail x@starling_bot.example")
    assert await seen(bot) == ["@Starling_Bot hello", "/start", "/start@starling_bot", "yes"]


async def test_an_administrator_sees_everything(bot: Bot, group: GroupChat, member: Member):
    group.room.bot = "administrator"
    await member.send("hello all")
    assert await seen(bot) == ["hello all"]


@pytest.mark.parametrize(
    ("standing", "kind", "words"),
    [
        ("kicked", TelegramForbiddenError, "Forbidden: bot was kicked from the supergroup chat"),
        ("left", TelegramForbiddenError, "Forbidden: bot is not a member of the supergroup chat"),
        ("never", TelegramBadRequest, "Bad Request: PEER_ID_INVALID"),
    ],
)
async def test_a_bot_that_is_not_there_is_refused(
    bot: Bot, group: GroupChat, standing: str, kind: type[Exception], words: str
):
    group.room.bot = standing
    with pytest.raises(kind, match=words):
        await bot.send_message(GROUP, "x")


async def test_a_group_that_was_upgraded_names_its_new_number(bot: Bot, telegram: Playground, anna: Person):
    small = telegram.group(-77, "Family", anna, kind="group")
    large = small.upgrade(anna.profile)
    with pytest.raises(TelegramMigrateToChat) as refused:
        await bot.send_message(-77, "x")
    assert refused.value.migrate_to_chat_id == large.id
    notices = [update.message for update in await bot.get_updates() if update.message]
    assert [(n.migrate_to_chat_id, n.migrate_from_chat_id) for n in notices] == [
        (large.id, None),
        (None, -77),
    ]


async def test_a_group_has_no_drafts(bot: Bot, group: GroupChat):
    with pytest.raises(TelegramBadRequest, match="TEXTDRAFT_PEER_INVALID"):
        await bot.send_message_draft(GROUP, 1, text="x")


async def test_a_group_takes_twenty_messages_a_minute(bot: Bot, telegram: Playground, group: GroupChat):
    telegram.state.limits.pace = True
    for _ in range(20):
        await bot.send_message(GROUP, "x")
    with pytest.raises(TelegramRetryAfter):
        await bot.send_message(GROUP, "x")


async def test_a_topic_carries_its_number_and_what_opened_it(bot: Bot, telegram: Playground, anna: Person):
    forum = telegram.group(GROUP, "Course", anna, is_forum=True)
    topic = forum.new_topic(anna.profile, "Waves")
    await forum.member(ANNA).send("@starling_bot hi", topic=topic)
    created, asked = [update.message for update in await bot.get_updates() if update.message]
    assert created.forum_topic_created is not None
    assert (asked.message_thread_id, asked.is_topic_message) == (topic, True)
    assert asked.reply_to_message is not None
    assert asked.reply_to_message.message_id == topic
    await bot.send_message(GROUP, "x", message_thread_id=topic)
    forum.close_topic(anna.profile, topic)
    with pytest.raises(TelegramBadRequest, match="TOPIC_CLOSED"):
        await bot.send_message(GROUP, "x", message_thread_id=topic)
    forum.delete_topic(topic)
    with pytest.raises(TelegramBadRequest, match="message thread not found"):
        await bot.send_message(GROUP, "x", message_thread_id=topic)


async def test_a_whisper_is_seen_by_one_and_sent_only_where_it_may_be(
    bot: Bot, group: GroupChat, member: Member
):
    to_anna = EphemeralMessageParameters(receiver_user_id=ANNA)
    with pytest.raises(TelegramBadRequest, match="MESSAGE_NOT_COMMAND"):
        await bot.send_message(GROUP, "psst", ephemeral_message_parameters=to_anna)
    group.room.bot = "administrator"
    sent = await bot.send_message(GROUP, "psst", ephemeral_message_parameters=to_anna)
    assert (sent.message_id, bool(sent.ephemeral_message_id)) == (0, True)
    assert [message["text"] for message in member.messages] == ["psst"]
    assert group.member(BORIS).messages == []
    wrong = ReplyParameters(ephemeral_message_id=sent.ephemeral_message_id)
    to_boris = EphemeralMessageParameters(receiver_user_id=BORIS)
    with pytest.raises(TelegramBadRequest, match="not found"):
        await bot.send_message(GROUP, "x", ephemeral_message_parameters=to_boris, reply_parameters=wrong)


async def test_who_is_no_member_cannot_write(group: GroupChat, member: Member):
    await member.leave()
    with pytest.raises(Impossible):
        await member.send("hello")
