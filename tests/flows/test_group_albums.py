"""An album in a group: one picture bears the words, and all of them belong to the question."""

from telegram_bot.dispatcher import Roles
from telegram_bot.models import Update
from telegram_bot.playground.members import GroupChat, Member
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.flows import books
from tests.flows.books import asynchronous
from tests.input import made
from tests.input.asked import answer, files, looks, upload, words

PICTURES = [upload(f"{n}.jpg", made.picture(size=(100 + n, 100)), "image/jpeg") for n in range(4)]


async def test_all_pictures_of_an_album_that_mentions_the_bot_belong_to_the_question(
    starling: Roles, claude: AnthropicStandIn, group: GroupChat, anna_there: Member
):
    group.room.sees_all = True
    answer(claude)
    await anna_there.send_album(PICTURES, caption="@starling_bot which is the best?")
    await anna_there.wait_for(lambda message: message["text"] == "Seen.")
    assert [body for _, body in looks(claude)] == [picture.body for picture in PICTURES]
    assert words(claude).startswith("[Anna Berg @anna]:")
    assert "which is the best?" in words(claude)
    assert len(await books.all_done()) == 1
    assert len(claude.requests) == 1


async def test_the_words_may_stand_under_the_last_picture(
    starling: Roles, claude: AnthropicStandIn, group: GroupChat, anna_there: Member
):
    group.room.sees_all = True
    answer(claude)
    await anna_there.send_album(PICTURES, caption="/ask@starling_bot which?", under=3)
    await anna_there.wait_for(lambda message: message["text"] == "Seen.")
    assert [body for _, body in looks(claude)] == [picture.body for picture in PICTURES]


async def test_an_album_that_is_not_for_the_bot_is_neither_fetched_nor_kept(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, group: GroupChat, anna_there: Member
):
    group.room.sees_all = True
    await anna_there.send_album(PICTURES, caption="Look, our summit")
    answer(claude)
    await anna_there.send("@starling_bot are you there?")
    await anna_there.wait_for(lambda message: message["text"] == "Seen.")
    await books.eventually(all_handled, "every update is handled")
    assert looks(claude) == []
    assert await files() == []
    assert not [call for call in telegram.calls if call.method == "getFile"]


@asynchronous
def all_handled() -> bool:
    return not Update.objects.filter(handled_at__isnull=True).exists()
