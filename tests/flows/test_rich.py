"""Answers that only a rich message shows well, and what becomes of them where it is not wanted or not taken."""

import pytest

from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Hold, Words
from tests.flows import books
from tests.flows.shown import button, kinds, words
from tests.flows.wishes import prefer
from tests.people import ANNA

TABLE = "Here you are:\n\n| Planet | Moons |\n| --- | ---: |\n| Mars | 2 |\n| Venus | 0 |\n\nAnything *else*?"
PLAIN = "# Sky\n\nIt is **blue** because `air` scatters blue light.\n\n- one\n- two"


async def test_an_answer_with_a_table_arrives_as_one_rich_message(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words(TABLE))
    await anna.send("Moons?")
    reply = await anna.wait_for(lambda message: bool(kinds(message)))
    await books.all_done()
    assert anna.replies == [reply]
    assert kinds(reply) == ["paragraph", "table", "paragraph"]
    cells = reply["rich_message"]["blocks"][1]["cells"]
    assert [[cell["text"] for cell in row] for row in cells] == [
        ["Planet", "Moons"],
        ["Mars", "2"],
        ["Venus", "0"],
    ]
    assert [cell["align"] for cell in cells[0]] == ["left", "right"]
    (turn,) = await books.turns()
    assert turn.sent == [[reply["message_id"]]]


async def test_an_answer_that_needs_no_rich_message_is_classic(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words(PLAIN))
    await anna.send("Why is the sky blue?")
    reply = await anna.wait_for(lambda message: True)
    assert reply["text"].startswith("Sky")
    assert not kinds(reply)


async def test_whoever_chose_classic_gets_a_table_in_code(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person
):
    await prefer(anna, rendering="classic")
    claude.say(Words(TABLE))
    await anna.send("Moons?")
    reply = await anna.wait_for(lambda message: True)
    assert "Planet │ Moons" in reply["text"]
    assert "pre" in [entity["type"] for entity in reply["entities"]]
    await books.all_done()
    assert not [call for call in telegram.calls if "Rich" in call.method]


async def test_whoever_chose_rich_gets_everything_rich(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await prefer(anna, rendering="rich")
    claude.say(Words(PLAIN))
    await anna.send("Why is the sky blue?")
    reply = await anna.wait_for(lambda message: bool(kinds(message)))
    assert kinds(reply) == ["heading", "paragraph", "list"]


@pytest.mark.parametrize(
    ("status", "description"),
    [(400, "Bad Request: can't parse rich message"), (404, "Not Found: method not found")],
    ids=["refused", "a server older than rich messages"],
)
async def test_a_rich_message_that_telegram_refuses_goes_classic_and_none_is_tried_for_a_while(
    starling: Roles,
    claude: AnthropicStandIn,
    telegram: Playground,
    anna: Person,
    status: int,
    description: str,
):
    telegram.state.limits.fail("sendRichMessage", status, description)
    claude.say(Words(TABLE))
    await anna.send("Moons?")
    reply = await anna.wait_for(lambda message: "Planet" in message["text"])
    assert "Planet │ Moons" in reply["text"]
    (turn,) = await books.all_done()
    assert turn.sent == [[reply["message_id"]]]
    claude.say(Words(TABLE))
    await anna.send("Again?")
    await anna.wait_for(lambda message: "Planet" in message["text"], after=reply["message_id"])
    tried = [call.status for call in telegram.calls if call.method == "sendRichMessage"]
    assert tried == [status]


async def test_a_refused_rich_draft_is_the_last_one_and_costs_no_word(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person
):
    telegram.state.limits.fail("sendRichMessageDraft", 400, "Bad Request: can't parse rich message")
    claude.say(Words(TABLE), Hold(), Words(" Bye."))
    await anna.send("Moons?")
    await anna.wait_until(lambda: anna.draft if anna.draft and "Planet │" in anna.draft["text"] else None)
    assert [call.status for call in telegram.calls if call.method == "sendRichMessageDraft"] == [400]


async def test_a_draft_goes_rich_in_the_middle_and_never_back(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person
):
    first, second, third = Hold(), Hold(), Hold()
    head, tail = TABLE.split("| Mars", 1)
    claude.say(
        Words(head[:20]), first, Words(head[20:]), second, Words("| Mars" + tail), third, Words(" Bye.")
    )
    await anna.send("Moons?")
    await anna.wait_until(lambda: anna.draft if anna.draft and anna.draft["text"] else None)
    first.until.set()
    await anna.wait_until(lambda: anna.draft if anna.draft and kinds(anna.draft) else None)
    second.until.set()
    await anna.wait_until(lambda: anna.draft if anna.draft and "else" in words(anna.draft) else None)
    third.until.set()
    reply = await anna.wait_for(lambda message: bool(kinds(message)))
    assert words(reply).endswith("else? Bye.")
    looks = ["rich" if kinds(frame) else "classic" for frame in anna.drafts]
    assert looks == sorted(looks), "classic frames first, then only rich ones"
    assert {"classic", "rich"} == set(looks)
    assert len({frame["draft_id"] for frame in anna.drafts}) == 1
    assert all(frame["can_stop"] for frame in anna.drafts)


async def test_without_live_drafts_the_answer_arrives_once_and_nothing_before_it(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person
):
    await prefer(anna, live_drafts=False)
    hold = Hold()
    claude.say(Words(TABLE), hold, Words(" Bye."))
    await anna.send("Moons?")
    await hold.reached.wait()
    hold.until.set()
    reply = await anna.wait_for(lambda message: bool(kinds(message)))
    await books.all_done()
    assert words(reply).endswith("else? Bye.")
    assert anna.drafts == []
    assert not [call for call in telegram.calls if call.method.endswith("Draft")]


async def test_a_rich_answer_over_the_limits_arrives_in_parts_and_whole(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    rows = "\n".join(f"| {number} | {number * number} |" for number in range(700))
    claude.say(Words(f"Squares:\n\n| n | n² |\n|---|---|\n{rows}\n\nTHE END", piece=400))
    await anna.send("Squares?")
    await anna.wait_for(lambda message: words(message).endswith("THE END"))
    (turn,) = await books.all_done()
    assert turn.sent == [[reply["message_id"]] for reply in anna.replies]
    assert len(anna.replies) == 2
    cells = [
        [cell["text"] for cell in row]
        for reply in anna.replies
        for block in reply["rich_message"]["blocks"]
        if block["type"] == "table"
        for row in block["cells"]
        if not row[0].get("is_header")
    ]
    assert cells == [[str(number), str(number * number)] for number in range(700)]


async def test_a_rich_answer_is_charged_and_kept_like_any(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words(TABLE))
    await anna.send("Moons?")
    await anna.wait_for(lambda message: bool(kinds(message)))
    (turn,) = await books.all_done()
    assert await books.charges_of(ANNA) == [turn.cost]
    assert await books.mismatches() == []


async def test_a_short_rich_answer_has_a_button_that_copies_it_by_itself(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words(TABLE))
    await anna.send("Moons?")
    reply = await anna.wait_for(lambda message: bool(kinds(message)))
    assert button(reply) == {"text": "Copy as text", "copy_text": {"text": TABLE}}
