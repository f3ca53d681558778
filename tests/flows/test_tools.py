"""Tools as a person meets them: a message, what arrives in the chat, the rows and the exact charge."""

import struct
import zlib
from decimal import Decimal

import pytest

from billing.price_sync import sync_prices
from conversations.write_behind import flush
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Hold, Raw, Says, ServerUse, Use, Words
from tests.flows import books, shelf
from tests.flows.conftest import running
from tests.people import ANNA, BORIS
from tests.waiting import eventually
from tests.witness import event_queue
from tools.models import ToolCall


def png(width: int, height: int) -> bytes:
    """A black picture of these sides."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = (b"\0" + bytes((width + 7) // 8)) * height
    packed = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + packed


@books.asynchronous
def written() -> list[ToolCall]:
    flush()
    return list(ToolCall.objects.order_by("started_at"))


async def tool_calls(count: int = 1) -> list[ToolCall]:
    """Every call's row, as soon as so many are written; writing behind may have to try again."""

    async def enough() -> list[ToolCall] | None:
        rows = await written()
        return rows if len(rows) >= count else None

    try:
        return await eventually(enough, f"{count} calls written down")
    except AssertionError as error:
        error.add_note(event_queue())
        raise


@pytest.fixture
async def begun(starling: Roles, claude: AnthropicStandIn, anna: Person) -> Person:
    """Anna, in a conversation that has begun."""
    claude.say(Words("Hello, Anna."))
    await anna.send("Hello")
    await anna.wait_for(lambda message: message.get("text") == "Hello, Anna.")
    await books.all_done()
    return anna


async def asked(claude: AnthropicStandIn, person: Person, *uses: Use, last: str = "Done.") -> list[dict]:
    """Let Claude make these calls in one step and then say the last words; returns what it was told."""
    before = len(person.replies)
    claude.say(Words("One moment."), *uses)
    claude.say(Words(last))
    await person.send("Please")
    await person.wait_until(
        lambda: next(
            (reply for reply in person.replies[before:] if reply.get("text", "").endswith(last)), None
        )
    )
    results = [
        block
        for block in claude.requests[-1].body["messages"][-1]["content"]
        if block["type"] == "tool_result"
    ]
    assert len(results) == len(uses)
    return results


KINDS = [
    ("a.png", "image/png", png(40, 30), "auto", "photo"),
    ("long.png", "image/png", png(2100, 100), "auto", "document"),
    ("a.png", "image/png", png(40, 30), "document", "document"),
    ("a.gif", "image/gif", b"GIF89a\x0a\0\x0a\0" + bytes(40), "auto", "animation"),
    ("a.mp3", "audio/mpeg", b"ID3" + bytes(40), "auto", "audio"),
    ("a.ogg", "audio/ogg", b"OggS" + bytes(40), "auto", "voice"),
    ("a.mp4", "video/mp4", bytes(4) + b"ftypisom" + bytes(40), "auto", "video"),
    ("a.csv", "text/csv", b"a,b\n1,2\n", "auto", "document"),
]


async def test_each_kind_of_file_arrives_as_what_it_is_between_the_words_with_its_caption(
    begun: Person, claude: AnthropicStandIn
):
    for name, mime, content, mode, kind in KINDS:
        file_id = await shelf.put(ANNA, name, mime, content)
        before = len(begun.replies)
        use = Use("deliver_file", {"file_id": file_id, "caption": "For **you**", "mode": mode})
        await asked(claude, begun, use)
        first, file, last = begun.replies[before:]
        assert (first["text"], last["text"]) == ("One moment.", "Done.")
        assert kind in file, (name, sorted(file))
        assert file["caption"] == "For you"
        assert file["caption_entities"][0]["type"] == "bold"
    calls = await tool_calls(len(KINDS))
    assert {(call.status, call.cost) for call in calls} == {("done", Decimal(0))}
    assert await books.mismatches() == []


async def test_another_persons_file_is_not_delivered_and_the_model_is_told_its_own(
    begun: Person, claude: AnthropicStandIn, boris: Person
):
    claude.say(Words("Здравствуйте."))
    await boris.send("Привет")
    await boris.wait_for(lambda message: message.get("text") == "Здравствуйте.")
    secret = await shelf.put(BORIS, "secret.txt", "text/plain", b"the canary sings")
    mine = await shelf.put(ANNA, "mine.txt", "text/plain", b"mine")
    uses = [
        Use("deliver_file", {"file_id": secret}, id="toolu_a"),
        Use("preview_file", {"file_id": secret}, id="toolu_b"),
        Use("analyze_image", {"file_id": secret, "question": "?"}, id="toolu_c"),
        Use("analyze_pdf", {"file_id": secret, "question": "?"}, id="toolu_d"),
    ]
    for result in await asked(claude, begun, *uses):
        assert result["is_error"]
        assert f"Valid file ids: {mine}." in result["content"]
    assert not any("document" in reply for reply in begun.replies)
    assert "canary" not in str([request.body for request in claude.requests])


async def test_a_file_that_telegram_refuses_the_first_time_is_sent_again(
    begun: Person, claude: AnthropicStandIn, telegram: Playground
):
    file_id = await shelf.put(ANNA, "a.csv", "text/csv", b"a,b\n1,2\n")
    telegram.state.limits.fail("sendDocument", status=500, times=1)
    await asked(claude, begun, Use("deliver_file", {"file_id": file_id}))
    assert len([reply for reply in begun.replies if "document" in reply]) == 1


async def test_a_table_is_previewed_for_nothing(begun: Person, claude: AnthropicStandIn):
    file_id = await shelf.put(ANNA, "birds.csv", "text/csv", b"bird;count\nstarling;100000\nwren;2\n")
    (result,) = await asked(claude, begun, Use("preview_file", {"file_id": file_id}))
    assert "bird | count\nstarling | 100000\nwren | 2" in result["content"]


async def test_a_look_at_a_picture_is_charged_by_the_tokens_of_the_look(
    begun: Person, claude: AnthropicStandIn
):
    file_id = await shelf.put(ANNA, "bird.png", "image/png", png(40, 30))
    charged = len(await books.charges_of(ANNA))
    claude.say(Words("I look."), Use("analyze_image", {"file_id": file_id, "question": "Which bird?"}))
    claude.say(Words("A starling."))
    claude.say(Words("It is a starling."))
    await begun.send("Which bird is it?")
    await begun.wait_for(lambda message: message.get("text", "").endswith("It is a starling."))
    await books.all_done(2)
    _, look, after = claude.requests[-3:]
    assert look.body["messages"][0]["content"][1]["type"] == "image"
    assert "A starling." in after.body["messages"][-1]["content"][0]["content"]
    (call,) = await tool_calls()
    bill = look.bill
    owed = (bill.input_tokens * Decimal("0.10") + bill.output_tokens * Decimal("0.50")) / 1_000_000
    assert (call.name, call.status, call.cost) == ("analyze_image", "done", owed)
    assert (await books.charges_of(ANNA))[charged + 1] == owed
    assert await books.mismatches() == []


async def test_a_look_that_breaks_off_says_so_and_the_answer_goes_on(begun: Person, claude: AnthropicStandIn):
    file_id = await shelf.put(ANNA, "bird.png", "image/png", png(40, 30))
    claude.say(Words("I look."), Use("analyze_image", {"file_id": file_id, "question": "Which bird?"}))
    claude.fail(400, message="no")
    claude.say(Words("I cannot see it."))
    await begun.send("Which bird is it?")
    await begun.wait_for(lambda message: message.get("text", "").endswith("I cannot see it."))
    (call,) = await tool_calls()
    assert (call.status, call.cost) == ("failed", 0)
    assert "could not look at it" in call.error


async def test_stop_in_the_middle_of_a_look_ends_the_turn(begun: Person, claude: AnthropicStandIn):
    file_id = await shelf.put(ANNA, "bird.png", "image/png", png(40, 30))
    hold = Hold()
    claude.say(Words("I look."), Use("analyze_image", {"file_id": file_id, "question": "Which bird?"}))
    claude.say(Words("A star"), hold, Words("ling."))
    await begun.send("Which bird is it?")
    await hold.reached.wait()
    await begun.send("/stop")
    turns = await books.all_done(2)
    hold.until.set()
    assert turns[-1].state == "stopped" or turns[-1].stop_requested
    (call,) = await tool_calls()
    assert (call.name, call.status) == ("analyze_image", "stopped")
    assert await books.mismatches() == []


async def test_the_wrong_kind_of_file_is_refused_before_anything_is_spent(
    begun: Person, claude: AnthropicStandIn
):
    pdf = await shelf.put(ANNA, "photo.png", "image/png", b"%PDF-1.7\nno picture")
    picture = await shelf.put(ANNA, "text.pdf", "application/pdf", png(2, 2))
    results = await asked(
        claude,
        begun,
        Use("analyze_image", {"file_id": pdf, "question": "?"}, id="toolu_a"),
        Use("analyze_pdf", {"file_id": picture, "question": "?"}, id="toolu_b"),
    )
    assert ["Use analyze_pdf" in results[0]["content"], "Use analyze_image" in results[1]["content"]] == [
        True
    ] * 2
    assert {call.cost for call in await tool_calls(2)} == {Decimal(0)}


async def test_what_a_call_would_cost_is_told_with_the_balance_left(begun: Person, claude: AnthropicStandIn):
    (result,) = await asked(
        claude,
        begun,
        Use(
            "cost_estimator",
            {"tool": "analyze_pdf", "arguments": {"file_id": "f_1", "question": "?", "pages": "1-2"}},
        ),
    )
    # 2 pages of 8,000 tokens and 2,000 of words at $0.10, 4,000 said at $0.50 a million
    assert "at most $0.0038" in result["content"]
    assert "afterwards at least $0.99" in result["content"]


async def test_a_page_that_asks_for_a_hundred_paid_calls_costs_at_most_the_turn_cap(
    begun: Person, claude: AnthropicStandIn, settings, capsys
):
    settings.TURN_CAP_USD = Decimal("0.08")  # five searches are held for beside the looks
    file_id = await shelf.put(ANNA, "bird.png", "image/png", png(40, 30))
    before = await books.balance_of(ANNA)

    def injected(body: dict) -> Says:
        if "cannot see it" in str(body.get("system")):
            return Says((Words("Seen. " * 2000),))
        if body.get("tool_choice", {}).get("type") == "none":
            return Says((Words("Enough."),))
        place = len(body["messages"])
        uses = [
            Use("analyze_image", {"file_id": file_id, "question": "Again"}, id=f"toolu_{place}_{number}")
            for number in range(100)
        ]
        return Says((Words("The page asks for a hundred looks."), *uses))

    claude.script = injected
    await begun.send("Read that page")
    await books.all_done(2)
    spent = before - await books.balance_of(ANNA)
    with capsys.disabled():
        print(
            f"\n100 paid calls a step, asked for by a page: ${spent:f} of a turn cap of ${settings.TURN_CAP_USD}"
        )
    assert 0 < spent <= settings.TURN_CAP_USD
    assert "refused" in {call.status for call in await tool_calls(100)}
    assert await books.mismatches() == []


@pytest.fixture(autouse=True)
def _priced(transactional_db: None) -> None:
    sync_prices()


async def test_claude_searches_and_fetches_by_itself_and_each_search_is_charged(
    begun: Person, claude: AnthropicStandIn
):
    before = await books.balance_of(ANNA)
    result = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_01A", "content": []}
    claude.say(ServerUse("web_search", {"query": "starlings"}), Raw(result), stop_reason="pause_turn")
    claude.say(Words("Found."), web_searches=2)
    await begun.send("Search")
    await begun.wait_for(lambda message: message.get("text", "").endswith("Found."))
    await books.all_done(2)
    paused, last = claude.requests[-2:]
    offered = {tool["name"]: tool.get("type") for tool in last.body["tools"]}
    assert (offered["web_search"], offered["web_fetch"]) == ("web_search_20260318", "web_fetch_20260318")
    assert last.body["messages"][-1]["content"][-1] == result
    spent = before - await books.balance_of(ANNA)
    assert Decimal("0.02") < spent < Decimal("0.021")
    assert paused.status == last.status == 200
    assert await books.mismatches() == []


async def test_the_demo_shows_its_tools_when_asked_in_plain_words(
    telegram: Playground, transactional_db: None, anna: Person
):
    async with running():
        await anna.send("Read the web page, please")
        await anna.wait_for(lambda message: "neighbours, not the whole flock" in str(message))
        file_id = await shelf.put(ANNA, "birds.csv", "text/csv", b"bird;count\nwren;2\n")
        await anna.send(f"Preview {file_id} and send me the file")
        await anna.wait_for(lambda message: "document" in message)
        await anna.wait_for(lambda message: "wren | 2" in str(message))
        await anna.send("How much does analyze_image cost?")
        await anna.wait_for(lambda message: "costs at most" in str(message))
        picture = await shelf.put(ANNA, "bird.png", "image/png", png(40, 30))
        await anna.send(f"What is on the picture {picture}?")
        await anna.wait_for(lambda message: "Canned by the demo model" in str(message))
        await books.all_done(4)
    assert {call.name for call in await tool_calls(5)} == {
        *("web_fetch", "preview_file", "deliver_file", "cost_estimator", "analyze_image")
    }
    assert {call.status for call in await tool_calls()} == {"done"}
    assert await books.mismatches() == []
