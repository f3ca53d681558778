"""Which handler a message goes to is found out in the event loop, without a thread."""

from telegram_bot.dispatcher import Roles
from telegram_bot.filters import filters_of
from telegram_bot.playground.people import Person


async def test_no_filter_of_ours_asks_for_a_thread(starling: Roles, anna: Person):
    filters = list(filters_of(starling.inbox._dispatcher))
    assert len(filters) > 50
    assert [found.callback for found in filters if not found.awaitable] == []


async def test_a_private_command_a_groups_and_a_plain_word_still_find_their_handlers(
    starling: Roles, anna: Person
):
    for sent, wanted in (("/help", "/new"), ("/nonsense", "/help"), ("/stop", "nothing")):
        said = await anna.send(sent)
        await anna.wait_for(
            lambda message, wanted=wanted: wanted in message["text"].lower(), after=said["message_id"]
        )
