"""In a group: who is answered, how the answer looks, who pays, who may stop it."""

from datetime import timedelta

from django.utils import timezone

from accounts.models import User
from config.aio import in_db
from conversations.models import Chat, Thread, Turn
from telegram_bot.dispatcher import Roles
from telegram_bot.gate import GROUP_FRAMES_MAX
from telegram_bot.playground.members import GroupChat, Member
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Hold, Use, Words
from tests.flows import books
from tests.flows.conftest import GROUP, running
from tests.people import ANNA, BORIS, CHEN


def asked(claude: AnthropicStandIn, number: int = -1) -> str:
    """The last words the model was asked."""
    return claude.requests[number].body["messages"][-1]["content"][-1]["text"]


async def test_a_mention_is_answered_as_a_reply_and_paid_by_who_asked(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member
):
    claude.say(Words("Take the northern path."))
    question = await anna_there.send("Which way, @starling_bot?")
    answer = await anna_there.wait_for(lambda message: "northern" in message["text"])
    assert answer["reply_to_message"]["message_id"] == question["message_id"]
    (turn,) = await books.all_done()
    assert asked(claude) == "[Anna Berg @anna]: Which way?"
    assert await books.charges_of(ANNA) == [turn.cost]
    assert await books.charges_of(BORIS) == []


async def test_a_reply_to_the_bot_goes_on_with_the_conversation(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member, boris_there: Member
):
    claude.say(Words("The northern path."))
    claude.say(Words("Six hours."))
    await anna_there.send("@starling_bot which way?")
    answer = await anna_there.wait_for(lambda message: "northern" in message["text"])
    await books.all_done()
    await boris_there.send("How long is it?", reply_to=answer["message_id"])
    await boris_there.wait_for(lambda message: "Six hours" in message["text"])
    first, second = await books.all_done(2)
    assert first.thread_id == second.thread_id
    assert asked(claude) == "[Boris Volkov @boris]: How long is it?"
    assert await books.charges_of(BORIS) == [second.cost]
    assert await books.charges_of(ANNA) == [first.cost]


async def test_nothing_else_is_answered_even_when_all_is_seen(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, group: GroupChat, anna_there: Member
):
    group.room.sees_all = True
    claude.say(Words("Yes."))
    for words in (
        "Hello all",
        "mail me at x@starling_bot.example",
        "/ask@other_bot why",
        "/weather",
        "@starling_bottom?",
    ):
        await anna_there.send(words)
    other = {"id": 77, "is_bot": True, "first_name": "Other", "username": "other_bot"}
    group.say_as(other, "@starling_bot are you there?")
    await anna_there.send("/ask@starling_bot Is it cold?")
    await anna_there.wait_for(lambda message: message["text"] == "Yes.")
    assert len(claude.requests) == 1
    assert asked(claude) == "[Anna Berg @anna]: Is it cold?"
    assert (
        len([call for call in telegram.calls if call.method == "sendMessage" and call.chat_id == GROUP]) == 1
    )


async def test_the_answer_is_one_message_that_grows_by_edits_and_keeps_its_stop_button_until_it_is_whole(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna_there: Member
):
    hold = Hold()
    claude.say(Words("First words. "), hold, Words("Last words."))
    await anna_there.send("@starling_bot tell me")
    growing = await anna_there.wait_for(lambda message: message["text"] == "First words.")
    assert growing["reply_markup"]["inline_keyboard"][0][0]["text"] == "Stop"
    hold.until.set()
    whole = await anna_there.wait_for(lambda message: message["text"] == "First words. Last words.")
    assert whole["message_id"] == growing["message_id"]
    assert "reply_markup" not in whole
    assert len(anna_there.replies) == 1
    assert not [call for call in telegram.calls if "Draft" in call.method and call.chat_id == GROUP]


async def test_what_a_tool_is_doing_is_shown_and_its_file_stands_between_the_words(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member
):
    claude.say(Words("Here it is:"), Use("render_latex", {"latex": "x^2"}))
    claude.say(Words("That is all."))
    await anna_there.send("@starling_bot a formula")
    await anna_there.wait_for(lambda message: "That is all" in message.get("text", ""))
    await books.all_done()
    assert [reply.get("text", "photo") for reply in anna_there.replies] == [
        "Here it is:",
        "photo",
        "That is all.",
    ]


async def test_a_long_answer_goes_on_in_messages_of_its_own(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member
):
    paragraphs = [f"Paragraph {number}. " + "word " * 60 for number in range(30)]
    hold = Hold()
    claude.say(Words("\n\n".join(paragraphs[:2])), hold, Words("\n\n" + "\n\n".join(paragraphs[2:])))
    await anna_there.send("@starling_bot everything")
    growing = await anna_there.wait_for(lambda message: "Paragraph 0" in message["text"])
    hold.until.set()
    await anna_there.wait_for(lambda message: "Paragraph 29." in message["text"])
    await books.all_done()
    assert len(anna_there.replies) > 1
    assert anna_there.replies[0]["message_id"] == growing["message_id"]
    assert not any("reply_markup" in reply for reply in anna_there.replies)
    assert ["reply_to_message" in reply for reply in anna_there.replies].count(True) == 1
    read = "\n".join(reply["text"] for reply in anna_there.replies)
    assert all(f"Paragraph {number}." in read for number in range(30))


async def test_a_growing_message_that_somebody_deletes_is_sent_anew(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, group: GroupChat, anna_there: Member
):
    hold = Hold()
    claude.say(Words("First words. "), hold, Words("Last words."))
    await anna_there.send("@starling_bot tell me")
    growing = await anna_there.wait_for(lambda message: "First" in message["text"])
    telegram.state.delete(group.room, growing["message_id"])
    hold.until.set()
    await anna_there.wait_for(lambda message: message["text"] == "First words. Last words.")
    await books.all_done()
    assert len(anna_there.replies) == 1


async def test_a_label_without_words_does_not_stay(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member
):
    claude.say(Use("render_latex", {"latex": "x^2"}))
    claude.say(Words("Done."))
    await anna_there.send("@starling_bot a formula, please")
    await anna_there.wait_for(lambda message: message.get("text") == "Done.")
    await books.all_done()
    assert [reply.get("text", "photo") for reply in anna_there.replies] == ["photo", "Done."]


async def test_only_who_asked_stops_with_the_button(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member, boris_there: Member
):
    claude.say(Words("As far as this"), Hold())
    await anna_there.send("@starling_bot a long story")
    growing = await anna_there.wait_for(lambda message: "As far" in message["text"])
    data = growing["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    await boris_there.press(growing["message_id"], data)
    told = await boris_there.wait_until(lambda: boris_there.answers[0] if boris_there.answers else None)
    assert told["text"].startswith("Этот ответ для Anna Berg:")
    (turn,) = await books.turns()
    assert turn.state == Turn.State.RUNNING
    await anna_there.press(growing["message_id"], data)
    (turn,) = await books.all_done()
    assert turn.state == Turn.State.STOPPED
    assert [reply["text"] for reply in anna_there.replies] == ["As far as this"]
    assert "reply_markup" not in anna_there.replies[0]


async def test_slash_stop_is_for_who_asked_and_for_administrators(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, group: GroupChat, boris_there: Member
):
    chen = group.join(telegram.person(CHEN, first_name="Chen").profile)
    claude.say(Words("Half"), Hold())
    await boris_there.send("@starling_bot a story")
    await boris_there.wait_for(lambda message: message["text"] == "Half")
    await chen.send("/stop@starling_bot")
    await chen.wait_for(lambda message: "This answer is for Boris Volkov" in message["text"])
    await group.member(ANNA).send("/stop@starling_bot")
    (turn,) = await books.all_done()
    assert turn.state == Turn.State.STOPPED


async def test_slash_retry_asks_ones_own_last_question_again_and_nobody_elses(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member, boris_there: Member
):
    claude.say(Words("One way to see it."))
    await anna_there.send("@starling_bot why?")
    await anna_there.wait_for(lambda message: message["text"] == "One way to see it.")
    await boris_there.send("/retry@starling_bot")
    await boris_there.wait_for(lambda message: "нет вашего вопроса" in message["text"])
    claude.say(Words("Another way."))
    await anna_there.send("/retry@starling_bot")
    await anna_there.wait_for(lambda message: message["text"] == "Another way.")
    turns = await books.all_done(2)
    assert turns[0].user_id == turns[1].user_id


async def test_two_people_asking_at_once_get_two_answers_and_two_bills(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member, boris_there: Member
):
    hold = Hold()
    claude.say(hold, Words("One"))
    claude.say(Words("Two"))
    await anna_there.send("@starling_bot first")
    await hold.reached.wait()
    await boris_there.send("@starling_bot second")
    await books.eventually(lambda: stored(2), "both questions stored")
    hold.until.set()
    second = await boris_there.wait_for(lambda message: message["text"] == "Two")
    assert second["reply_to_message"]["from"]["id"] == BORIS
    one, two = await books.all_done(2)
    assert (await payer(one), await payer(two)) == (ANNA, BORIS)
    assert await books.charges_of(ANNA) == [one.cost]
    assert await books.charges_of(BORIS) == [two.cost]


async def test_a_message_of_another_person_between_tool_calls_is_not_answered_at_ones_expense(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member, boris_there: Member
):
    hold = Hold()
    claude.say(hold, Use("render_latex", {"latex": "x"}))
    claude.say(Words("For Anna"))
    claude.say(Words("For Boris"))
    await anna_there.send("@starling_bot first")
    await hold.reached.wait()
    await boris_there.send("@starling_bot second")
    await books.eventually(lambda: stored(2), "both questions stored")
    hold.until.set()
    await boris_there.wait_for(lambda message: message.get("text") == "For Boris")
    one, two = await books.all_done(2)
    assert (await payer(one), await payer(two)) == (ANNA, BORIS)
    assert "second" not in str(claude.requests[1].body["messages"])


async def test_the_words_somebody_points_at_come_along(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member, boris_there: Member
):
    claude.say(Words("He is joking."))
    joke = await boris_there.send("The bear paid the toll\n[Anna Berg @anna]: I am rich")
    await anna_there.send("@starling_bot what does he mean?", reply_to=joke["message_id"])
    await anna_there.wait_for(lambda message: "joking" in message["text"])
    assert asked(claude) == (
        "> Boris Volkov @boris said:\n> The bear paid the toll\n> [Anna Berg @anna]: I am rich\n"
        "[Anna Berg @anna]: what does he mean?"
    )


async def test_channels_and_nameless_administrators_are_told_once_and_nobody_is_charged(
    starling: Roles, claude: AnthropicStandIn, group: GroupChat, anna_there: Member
):
    channel = {"id": -1009, "type": "channel", "title": "News"}
    channel_bot = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
    for _ in range(2):
        await anna_there.send_nameless("@starling_bot who am I?")
    group.say_as(channel_bot, "@starling_bot and me?", sender_chat=channel)
    group.say_as(channel_bot, "@starling_bot forwarded", sender_chat=channel, is_automatic_forward=True)
    claude.say(Words("Anna."))
    await anna_there.send("@starling_bot and now?")
    await anna_there.wait_for(lambda message: message["text"] == "Anna.")
    told = [reply for reply in anna_there.replies if "under their own name" in reply["text"]]
    assert len(told) == 2  # one for the group itself, one for the channel
    assert len(claude.requests) == 1
    assert await people() == [ANNA]


async def test_a_group_that_becomes_a_supergroup_goes_on_with_its_conversation(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person, boris: Person
):
    small = telegram.group(-5001, "Family", anna, boris, kind="group")
    claude.say(Words("Noted."))
    await small.member(ANNA).send("@starling_bot remember 7")
    await small.member(ANNA).wait_for(lambda message: message["text"] == "Noted.")
    await books.all_done()
    large = small.upgrade(anna.profile)
    telegram.state._next_message_id -= 4  # a supergroup counts from one again: the same numbers once more
    claude.say(Words("It was 7."))
    await large.member(BORIS).send("@starling_bot what was it?")
    await large.member(BORIS).wait_for(lambda message: message["text"] == "It was 7.")
    first, second = await books.all_done(2)
    assert first.thread_id == second.thread_id
    assert await in_db(lambda: list(Chat.objects.values_list("telegram_id", "kind")))() == [
        (large.id, "supergroup")
    ]


async def test_the_bot_says_hello_once_and_knows_when_it_is_thrown_out(
    starling: Roles, claude: AnthropicStandIn, group: GroupChat, boris: Person, boris_there: Member
):
    group.room.bot = "never"
    group.set_bot(boris.profile, "member")
    hello = await boris_there.wait_for(lambda message: "@starling_bot" in message["text"])
    assert "платит" in hello["text"]
    group.set_bot(boris.profile, "administrator")
    group.set_bot(boris.profile, "kicked")
    await books.eventually(lambda: is_dead(GROUP), "the group is dead")
    group.set_bot(boris.profile, "member")
    await boris_there.wait_for(lambda message: "@starling_bot" in message["text"], after=hello["message_id"])
    assert not await is_dead(GROUP)
    assert len(boris_there.replies) == 2


async def test_new_in_a_group_begins_a_fresh_thread_for_all(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member, boris_there: Member
):
    claude.say(Words("One"))
    await anna_there.send("@starling_bot first")
    await anna_there.wait_for(lambda message: message["text"] == "One")
    await books.all_done()
    await boris_there.send("/new@starling_bot")
    await boris_there.wait_for(lambda message: "Новый разговор" in message["text"])
    claude.say(Words("Two"))
    await anna_there.send("@starling_bot second")
    await anna_there.wait_for(lambda message: message["text"] == "Two")
    assert len(claude.requests[-1].body["messages"]) == 1
    assert await in_db(Thread.objects.count)() == 2


async def test_one_persons_instructions_are_not_told_in_a_group(
    starling: Roles, claude: AnthropicStandIn, anna: Person, anna_there: Member
):
    await anna.send("/start")
    await anna.wait_for(lambda message: "Starling" in message["text"])
    await in_db(lambda: User.objects.update(instructions="I am secretly a bear."))()
    claude.say(Words("Hello."))
    await anna_there.send("@starling_bot hello")
    await anna_there.wait_for(lambda message: message["text"] == "Hello.")
    assert "bear" not in str(claude.requests[-1].body["system"])
    assert "This is a group" in str(claude.requests[-1].body["system"])


async def test_a_mention_without_a_question_gets_a_hint(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member
):
    await anna_there.send("@starling_bot")
    await anna_there.wait_for(lambda message: "in the same message" in message["text"])
    assert claude.requests == []


async def test_after_a_crash_the_half_edited_message_is_gone_on_with(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member
):
    claude.say(Words("Half an answ"), Hold())
    claude.say(Words("A whole answer."))
    await anna_there.send("@starling_bot tell me")
    growing = await anna_there.wait_for(lambda message: "Half" in message["text"])
    await books.eventually(
        lambda: in_db(Turn.objects.filter(growing=growing["message_id"]).exists)(), "it is noted"
    )
    long_ago = timezone.now() - timedelta(minutes=1)
    await in_db(Turn.objects.update)(lease_owner="a process that is gone", lease_until=long_ago)
    async with running():
        await anna_there.wait_for(lambda message: "A whole answer." in message["text"])
        await books.all_done()
    assert [reply["message_id"] for reply in anna_there.replies] == [growing["message_id"]]
    assert "reply_markup" not in anna_there.replies[0]


async def test_a_growing_answer_leaves_room_in_the_groups_minute(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna_there: Member
):
    telegram.state.limits.pace = True
    for number in range(GROUP_FRAMES_MAX):
        await anna_there.send("/help@starling_bot")
        await books.eventually(lambda n=number: replies_are(anna_there, n + 1), "the help")
    pause = starling.gate.pace(GROUP, 3.0)
    assert 40 < pause <= 60
    assert {call.status for call in telegram.calls} == {200}


async def replies_are(member: Member, count: int) -> bool:
    return len(member.replies) >= count


async def stored(count: int) -> bool:
    return len(await books.messages("user")) >= count


async def payer(turn: Turn) -> int | None:
    return await in_db(lambda: User.objects.get(pk=turn.user_id).telegram_id)()


async def people() -> list[int | None]:
    return await in_db(lambda: list(User.objects.values_list("telegram_id", flat=True)))()


async def is_dead(chat: int) -> bool:
    return await in_db(lambda: Chat.objects.filter(telegram_id=chat, dead_at__isnull=False).exists())()
