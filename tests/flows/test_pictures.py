"""Pictures drawn for a person: from the wish to the photo in the chat, its row and its exact charge."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from billing.models import Price
from billing.pricing import NANO
from config.aio import in_db
from conversations.contracts import ToolContext
from conversations.files import ThreadFiles
from conversations.providers import gemini as gemini_provider
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Hold, Use, Words
from tests.fakes.gemini import GeminiStandIn, Recorded
from tests.fakes.gemini_pictures import PICTURE_TOKENS, Draws, png_of
from tests.fakes.gemini_script import Blocks, Fails
from tests.fakes.gemini_script import Hold as Standstill
from tests.flows import books, shelf
from tests.flows.hands import hands, in_state
from tests.flows.toolbox import as_asked, empty, tool_charges, written
from tests.people import ANNA
from tools import working
from tools.catalog import offered, tools
from tools.models import LongRun

__all__ = ["hands"]

PROMPT = "A starling on a wire, in watercolour"


@pytest.fixture
async def gemini(settings: Any) -> AsyncIterator[GeminiStandIn]:
    async with GeminiStandIn.started(api_key="gemini-tests") as stand_in:
        settings.GEMINI_API_KEY = "gemini-tests"
        settings.GEMINI_BASE_URL = stand_in.url
        gemini_provider.http.cache_clear()
        gemini_provider.client.cache_clear()
        yield stand_in
        # Its connections are of the worker's event loop.
        await asyncio.to_thread(working._loop().run, gemini_provider.http().aclose())
        gemini_provider.client.cache_clear()
        gemini_provider.http.cache_clear()


@pytest.fixture
def studio(gemini: GeminiStandIn, hands: None, starling: Roles) -> GeminiStandIn:
    """The bot, a worker, and somebody who draws."""
    return gemini


def drawing(**arguments: Any) -> Use:
    return Use("generate_image", {"prompt": PROMPT, **arguments}, id="toolu_1")


def owed(request: Recorded) -> Decimal:
    """What Google's price list asks for what was billed."""
    bill = request.bill
    assert bill is not None
    tokens = bill.prompt * Decimal("1.5") + bill.candidates * 30 + bill.thoughts * Decimal("7.5")
    return (tokens / 1_000_000).quantize(NANO)


async def test_a_wish_becomes_a_photo_in_the_chat_and_is_charged_by_what_google_counted(
    studio: GeminiStandIn, claude: AnthropicStandIn, anna: Person
):
    told = await as_asked(claude, anna, drawing(aspect_ratio="16:9"))
    (request,) = studio.requests
    assert request.body["contents"] == [{"role": "user", "parts": [{"text": PROMPT}]}]
    assert request.body["generationConfig"]["imageConfig"] == {"aspectRatio": "16:9", "imageSize": "1K"}
    _, photo, last = anna.replies
    assert (photo["photo"][-1]["width"], photo["photo"][-1]["height"]) == (1376, 768)
    assert last["text"] == "Done."
    assert told[0]["content"].startswith("Drawn by Gemini Nano Banana 2.1, 1K, 16:9.\nFile f_")
    (call,) = await written()
    assert (call.name, call.status, call.cost) == ("generate_image", "done", owed(request))
    # 1,120 tokens of a picture are 3.36 cents; the words and the thoughts beside it are less than half a cent
    assert Decimal("0.0336") < call.cost < Decimal("0.0386")
    assert await tool_charges() == [-call.cost]
    assert await books.mismatches() == []


async def test_pictures_of_the_conversation_are_changed_in_the_order_they_were_named(
    studio: GeminiStandIn, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words("Hello."))
    await anna.send("Hello")
    await books.all_done()
    small = await shelf.put(ANNA, "bird.png", "image/png", png_of({"aspectRatio": "1:4"}))
    large = await shelf.put(ANNA, "sky.png", "image/png", png_of({"aspectRatio": "4:1"}))
    use = drawing(source_file_ids=[large, small], size="4K")
    told = await as_asked(claude, anna, use)
    (request,) = studio.requests
    *sources, words = request.body["contents"][0]["parts"]
    assert [source["inlineData"]["mimeType"] for source in sources] == ["image/png"] * 2
    assert len(sources[0]["inlineData"]["data"]) != len(sources[1]["inlineData"]["data"])
    assert words == {"text": PROMPT}
    assert "deliver_file with mode=document sends every pixel" in told[0]["content"]
    (call,) = await written()
    assert (call.status, call.cost) == ("done", owed(request))
    assert request.bill.candidates == PICTURE_TOKENS["4K"]
    assert request.bill.prompt > 2 * 1_120


NONE_DRAWN = [
    (Draws(0, "IMAGE_SAFETY"), "Google's rules do not allow this picture (IMAGE_SAFETY)", True),
    (Blocks("PROHIBITED_CONTENT"), "Google's rules do not allow this picture (PROHIBITED_CONTENT)", True),
    (Draws(0, "NO_IMAGE"), "No picture came of it (NO_IMAGE)", True),
    (Draws(0, "MAX_TOKENS"), "thought for too long", True),
    (Fails(400, message="Unable to process input image."), "Unable to process input image.", False),
    (Fails(500), "Google's image model failed", False),
    (Fails(403, message="key 12345 is blocked"), "its owner has to look after it", False),
]


async def test_a_refusal_or_a_failure_is_told_and_only_what_was_counted_is_charged(
    studio: GeminiStandIn, claude: AnthropicStandIn, anna: Person
):
    charged = Decimal(0)
    for number, (answer, says, counted) in enumerate(NONE_DRAWN, start=1):
        studio.draw(answer)
        told = await as_asked(claude, anna, Use("generate_image", {"prompt": PROMPT}, id=f"toolu_{number}"))
        assert told[0]["is_error"]
        assert says in told[0]["content"]
        assert "12345" not in told[0]["content"]
        call = (await written(number))[-1]
        assert (call.status, call.cost) == ("failed", owed(studio.requests[-1]) if counted else 0)
        assert (call.cost > 0) == counted
        charged += call.cost
    assert len(studio.requests) == len(NONE_DRAWN)
    assert -sum(await tool_charges()) == charged < Decimal("0.02")
    assert not any("photo" in reply for reply in anna.replies)
    assert await books.mismatches() == []


async def test_a_service_that_is_busy_for_a_moment_is_asked_again_and_one_picture_is_paid(
    studio: GeminiStandIn, claude: AnthropicStandIn, anna: Person
):
    studio.draw(Fails(503), Draws(sketches=2))
    await as_asked(claude, anna, drawing())
    assert len(studio.requests) == 2
    assert len([reply for reply in anna.replies if "photo" in reply]) == 1
    assert await tool_charges() == [-owed(studio.requests[-1])]


@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"promptTokenCount": -5, "candidatesTokenCount": 1_120},
        {"promptTokenCount": 10, "candidatesTokenCount": 2_000_000_000},
        {"promptTokenCount": 10, "candidatesTokenCount": 90_000},
    ],
)
async def test_counts_that_are_none_or_absurd_are_charged_as_one_picture(usage: dict[str, int]):
    """The reading of an answer alone: no charge may come of what a vendor says beside itself."""
    from google.genai import types  # noqa: PLC0415  as the tool does

    from tools.catalog._gemini_pictures import _counted  # noqa: PLC0415

    report = types.GenerateContentResponseUsageMetadata.model_validate(usage) if usage else None
    assert _counted(report) is None


async def test_stop_ends_the_drawing_and_costs_nothing_that_was_not_counted(
    studio: GeminiStandIn, claude: AnthropicStandIn, anna: Person
):
    still = Standstill()
    studio.draw(Draws(hold=still))
    claude.say(Words("I draw."), drawing())
    await anna.send("Draw")
    await still.reached.wait()
    await anna.send("/stop")
    (turn,) = await books.all_done()
    await in_state(LongRun.State.STOPPED)
    await studio.requests[0].disconnected.wait()
    assert turn.state == "stopped"
    (call,) = await written()
    assert (call.name, call.status, call.cost) == ("generate_image", "stopped", 0)
    assert await tool_charges() == []
    assert not any("photo" in reply for reply in anna.replies)
    assert await books.mismatches() == []


async def test_a_drawing_that_takes_too_long_is_given_up_and_told(
    gemini: GeminiStandIn, starling: Roles, claude: AnthropicStandIn, anna: Person
):
    """The worker's own steps, with a limit of a second in place of five minutes."""
    gemini.draw(Draws(hold=Standstill()))
    claude.say(Words("I draw."), drawing())
    claude.say(Words("Done."))
    await anna.send("Draw")
    run = await in_state(LongRun.State.WAITING)
    assert await in_db(working.claim)(run.pk, "test")
    context = ToolContext(run.user_id, run.thread_id, "en", ThreadFiles(run.thread_id))
    impatient = replace(tools()["generate_image"], seconds_max=1)
    state, output = await working._run(impatient, context, run.arguments)
    await in_db(working.conclude)(run, "test", state, output, seconds=1)
    await gemini.requests[0].disconnected.wait()
    await books.all_done()
    (call,) = await written()
    assert (call.status, call.cost) == ("timed_out", 0)
    assert "was stopped after 1 seconds" in call.error
    assert anna.replies[-1]["text"].endswith("Done.")
    assert await books.mismatches() == []


async def test_nobody_without_a_balance_or_a_price_gets_a_picture(
    studio: GeminiStandIn, claude: AnthropicStandIn, anna: Person
):
    still = Hold()
    claude.say(Words("One moment."), still, drawing())
    claude.say(Words("Done."))
    await anna.send("Draw")
    await still.reached.wait()
    await empty(ANNA)
    still.until.set()
    await books.all_done()
    (call,) = await written()
    assert (call.status, call.cost) == ("refused", 0)
    assert "name /pay" in call.error

    await empty(ANNA, give=Decimal(1))
    await in_db(Price.objects.filter(item__startswith="gemini-nano-banana-2.1:picture").update)(enabled=False)
    told = await as_asked(claude, anna, Use("generate_image", {"prompt": PROMPT}, id="toolu_2"))
    assert "has no price at the moment" in told[0]["content"]
    assert studio.requests == []
    assert await books.mismatches() == []


async def test_wrong_files_and_shapes_are_refused_before_anything_is_spent(
    studio: GeminiStandIn, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words("Hello."))
    await anna.send("Hello")
    await books.all_done()
    table = await shelf.put(ANNA, "a.csv", "text/csv", b"a,b\n1,2\n")
    told = await as_asked(
        claude,
        anna,
        Use("generate_image", {"prompt": PROMPT, "source_file_ids": [table]}, id="toolu_1"),
        Use("generate_image", {"prompt": PROMPT, "source_file_ids": ["f_zzzz"]}, id="toolu_2"),
        Use("generate_image", {"prompt": PROMPT, "size": "8K"}, id="toolu_3"),
        Use("generate_image", {"prompt": PROMPT, "aspect_ratio": "7:5"}, id="toolu_4"),
        Use("generate_image", {"prompt": ""}, id="toolu_5"),
    )
    says = ("Only PNG, JPEG", f"Valid file ids: {table}", "'1K', '2K' or '4K'", "aspect_ratio", "at least 1")
    for result, words in zip(told, says, strict=True):
        assert result["is_error"]
        assert words in result["content"]
    assert studio.requests == []
    assert {call.cost for call in await written(5)} == {Decimal(0)}


def test_without_a_key_no_pictures_are_offered(settings: Any):
    settings.GEMINI_API_KEY = ""
    assert "generate_image" not in offered()
    settings.GEMINI_API_KEY = "gemini-tests"
    assert "generate_image" in offered()
