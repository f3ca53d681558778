"""Topics, in private chats and in forums: each is a conversation of its own."""

import pytest

from config.aio import in_db
from conversations.models import Chat, Thread, Topic
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.members import GroupChat, Member
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from telegram_bot.topics import name_topic
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Hold, Use, Words
from tests.flows import books
from tests.flows.buttons import press, words_on
from tests.people import ANNA

FORUM = -1001000000003


@pytest.fixture
def forum(telegram: Playground, anna: Person, boris: Person) -> GroupChat:
    return telegram.group(FORUM, "Physics", anna, boris, is_forum=True)


@pytest.fixture
def there(forum: GroupChat) -> Member:
    return forum.member(ANNA)


@pytest.fixture
def in_topics(telegram: Playground, anna: Person) -> Person:
    """Anna's private chat with a bot whose owner has switched topics on."""
    telegram.state.abilities |= {"has_topics_enabled": True, "allows_users_to_create_topics": True}
    return anna


async def test_every_topic_of_a_forum_is_a_conversation_of_its_own(
    starling: Roles, claude: AnthropicStandIn, forum: GroupChat, there: Member, anna: Person
):
    waves, optics = (forum.new_topic(anna.profile, name) for name in ("Waves", "Optics"))
    for number, topic in enumerate((waves, optics, None)):
        claude.say(Words(f"Answer {number}"))
        await there.send(f"@starling_bot question {number}", topic=topic)
        answer = await there.wait_for(lambda message, n=number: message.get("text") == f"Answer {n}")
        assert answer.get("message_thread_id") == topic
        await books.all_done(number + 1)
        assert len(claude.requests[-1].body["messages"]) == 1
    assert await in_db(lambda: set(Thread.objects.values_list("topic", "title")))() == {
        (waves, "Waves"),
        (optics, "Optics"),
        (None, ""),
    }


async def test_in_a_topic_only_what_is_said_to_the_bot_counts_not_what_opened_it(
    starling: Roles, claude: AnthropicStandIn, forum: GroupChat, there: Member
):
    forum.room.bot = "administrator"
    topic = await starling.bot.create_forum_topic(FORUM, "Made by the bot")
    await there.send("Nice topic", topic=topic.message_thread_id)
    claude.say(Words("Yes."))
    await there.send("@starling_bot is it?", topic=topic.message_thread_id)
    await there.wait_for(lambda message: message.get("text") == "Yes.")
    assert len(claude.requests) == 1
    assert "Nice topic" not in str(claude.requests[0].body["messages"])


async def test_files_and_commands_stay_in_their_topic(
    starling: Roles, claude: AnthropicStandIn, in_topics: Person
):
    topic = await in_topics.new_topic("Formulas")
    claude.say(Words("Here:"), Use("render_latex", {"latex": "x^2"}))
    claude.say(Words("Done."))
    await in_topics.send("A formula", topic=topic)
    await in_topics.wait_for(lambda message: message.get("text") == "Done.")
    await books.all_done()
    await in_topics.send("/balance", topic=topic)
    await in_topics.wait_for(
        lambda message: "Your balance" in message.get("caption", message.get("text", ""))
    )
    assert {reply["message_thread_id"] for reply in in_topics.replies} == {topic}
    assert {frame["message_thread_id"] for frame in in_topics.drafts} == {topic}


async def test_stop_in_one_topic_leaves_the_other_alone(
    starling: Roles, claude: AnthropicStandIn, in_topics: Person
):
    one, two = [await in_topics.new_topic(name) for name in ("One", "Two")]
    hold = Hold()
    claude.say(Words("Half"), hold, Words(" and whole"))
    await in_topics.send("Go", topic=one)
    await hold.reached.wait()
    await in_topics.send("/stop", topic=two)
    await in_topics.wait_for(lambda message: "Nothing is being answered" in message["text"])
    hold.until.set()
    await in_topics.wait_for(lambda message: message["text"] == "Half and whole")


async def test_a_reply_in_a_plain_private_chat_is_no_topic(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words("One"))
    claude.say(Words("Two"))
    await anna.send("First")
    answer = await anna.wait_for(lambda message: message["text"] == "One")
    await books.all_done()
    await anna.send("Second", reply_to=answer["message_id"])
    await anna.wait_for(lambda message: message["text"] == "Two")
    assert await in_db(Thread.objects.count)() == 1


async def test_a_deleted_topic_ends_its_answer_and_nothing_else(
    starling: Roles,
    claude: AnthropicStandIn,
    telegram: Playground,
    forum: GroupChat,
    there: Member,
    anna: Person,
):
    topic = forum.new_topic(anna.profile, "Waves")
    hold = Hold()
    claude.say(hold, Words("Into the void"))
    await there.send("@starling_bot go", topic=topic)
    await hold.reached.wait()
    await there.send("@starling_bot and this", topic=topic)
    await books.eventually(lambda: waiting(2), "both stored")
    forum.delete_topic(topic)
    hold.until.set()
    (turn,) = await books.all_done()
    assert turn.failure == "unreachable"
    assert len([call for call in telegram.calls if call.status == 400]) == 1
    assert len(claude.requests) == 1
    assert await in_db(Thread.objects.filter(dead_at__isnull=False).count)() == 1
    assert await in_db(Chat.objects.filter(dead_at__isnull=True).count)() == 1
    claude.say(Words("Still here"))
    await there.send("@starling_bot hello")
    await there.wait_for(lambda message: message.get("text") == "Still here")


async def test_a_closed_topic_is_dead_until_somebody_asks_there_again(
    starling: Roles, claude: AnthropicStandIn, forum: GroupChat, there: Member, anna: Person
):
    topic = forum.new_topic(anna.profile, "Waves")
    hold = Hold()
    claude.say(hold, Words("Too late"))
    await there.send("@starling_bot go", topic=topic)
    await hold.reached.wait()
    forum.close_topic(anna.profile, topic)
    hold.until.set()
    (turn,) = await books.all_done()
    assert turn.failure == "unreachable"
    forum.close_topic(anna.profile, topic, closed=False)
    claude.say(Words("Open again"))
    await there.send("@starling_bot hello", topic=topic)
    await there.wait_for(lambda message: message.get("text") == "Open again")
    assert await in_db(Thread.objects.filter(dead_at__isnull=False).count)() == 0


async def test_a_renamed_topic_renames_its_conversation_and_nobody_answers(
    starling: Roles,
    claude: AnthropicStandIn,
    telegram: Playground,
    forum: GroupChat,
    there: Member,
    anna: Person,
):
    topic = forum.new_topic(anna.profile, "Waves")
    claude.say(Words("Yes"))
    await there.send("@starling_bot hello", topic=topic)
    await there.wait_for(lambda message: message.get("text") == "Yes")
    await books.all_done()
    said = len(there.replies)
    forum.rename_topic(anna.profile, topic, "Waves and more")
    forum.close_topic(anna.profile, topic)
    await books.eventually(lambda: is_called("Waves and more"), "the new title")
    assert len(there.replies) == said


@pytest.mark.parametrize(("is_name_implicit", "title"), [(True, "Why skies are blue"), (False, "New chat")])
async def test_a_topic_without_a_name_of_its_own_gets_one(
    starling: Roles, claude: AnthropicStandIn, in_topics: Person, is_name_implicit: bool, title: str
):
    topic = await in_topics.new_topic("New chat", is_name_implicit=is_name_implicit)
    claude.say(Words("Rayleigh"))
    await in_topics.send("Why is the sky blue?", topic=topic)
    await in_topics.wait_for(lambda message: message.get("text") == "Rayleigh")
    await books.all_done()
    thread = await in_db(Thread.objects.get)()
    assert await name_topic(starling.bot, thread.pk, "Why skies\nare blue") is is_name_implicit
    assert not await name_topic(starling.bot, thread.pk, "Once more")
    assert await is_called(title)


async def waiting(count: int) -> bool:
    return len(await books.messages("user")) >= count


async def is_called(title: str) -> bool:
    titles = await in_db(
        lambda: [
            *Thread.objects.values_list("title", flat=True),
            *Topic.objects.values_list("title", flat=True),
        ]
    )()
    return set(titles) == {title}


async def test_an_invoice_and_what_its_buttons_say_stay_in_their_topic(starling: Roles, in_topics: Person):
    topic = await in_topics.new_topic("Money")
    await in_topics.send("/pay 50", topic=topic)
    await in_topics.wait_for(lambda message: "invoice" in message)
    await in_topics.send("/pay", topic=topic)
    offers = await in_topics.wait_for(lambda message: bool(words_on(message)) and "invoice" not in message)
    await press(in_topics, offers, "Check my payment")
    await in_topics.wait_until(lambda: in_topics.replies[-1] if len(in_topics.replies) == 3 else None)
    assert {reply["message_thread_id"] for reply in in_topics.replies} == {topic}
