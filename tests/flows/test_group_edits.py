"""A question changed in a group: answered anew when it was the last one, as in private."""

from telegram_bot.dispatcher import Roles
from telegram_bot.models import Update
from telegram_bot.playground.members import GroupChat, Member
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.flows import books
from tests.flows.books import asynchronous
from tests.input import made
from tests.input.asked import answer, upload, words


async def test_the_last_question_changed_is_answered_anew_and_paid_by_who_asked(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member
):
    answer(claude, "North.")
    asked = await anna_there.send("@starling_bot which way?")
    await anna_there.wait_for(lambda message: message["text"] == "North.")
    await books.all_done()
    answer(claude, "Six hours.")
    await anna_there.edit(asked["message_id"], "@starling_bot how long?")
    anew = await anna_there.wait_for(lambda message: message["text"] == "Six hours.")
    assert words(claude) == "[Anna Berg @anna]: how long?"
    assert anew["reply_to_message"]["message_id"] == asked["message_id"]
    assert len(await books.all_done(2)) == 2


async def test_a_command_changed_is_a_question_changed(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member
):
    answer(claude, "North.")
    asked = await anna_there.send("/ask@starling_bot which way?")
    await anna_there.wait_for(lambda message: message["text"] == "North.")
    await books.all_done()
    answer(claude, "Six hours.")
    await anna_there.edit(asked["message_id"], "/ask@starling_bot how long?")
    await anna_there.wait_for(lambda message: message["text"] == "Six hours.")
    assert words(claude) == "[Anna Berg @anna]: how long?"


async def test_what_was_no_question_may_change_without_being_looked_at(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, group: GroupChat, anna_there: Member
):
    group.room.sees_all = True
    picture = await anna_there.send_file(upload("a.jpg", made.picture(), "image/jpeg"), caption="Our summit")
    hello = await anna_there.send("Hello all")
    await anna_there.edit(picture["message_id"], "Our highest summit")
    await anna_there.edit(hello["message_id"], "Hello everybody")
    await books.eventually(all_handled, "every update is handled")
    assert not [call for call in telegram.calls if call.method in ("getFile", "sendMessage")]
    assert await books.turns() == []


@asynchronous
def all_handled() -> bool:
    """Are there the four updates, and is each done with?"""
    return Update.objects.count() == 4 and not Update.objects.filter(handled_at__isnull=True).exists()
