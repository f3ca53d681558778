"""Rich messages: one source, documented limits, and blocks as a person sees them."""

from typing import Any

import pytest
from aiogram import Bot
from aiogram.types import BufferedInputFile, InputMediaPhoto, InputRichBlockPhoto, InputRichMessage

from telegram_bot.playground import Person
from tests.playground.conftest import ANNA, Ask
from tests.playground.pictures import png

Json = dict[str, Any]

CELL = {"align": "left", "valign": "top", "text": "x"}


def paragraph(text: str) -> Json:
    return {"type": "paragraph", "text": text}


def nested(levels: int) -> Json:
    block = paragraph("deep")
    for _ in range(levels - 1):
        block = {"type": "blockquote", "blocks": [block]}
    return block


async def refusal(ask: Ask, **rich: Any) -> str:
    answer = await ask("sendRichMessage", chat_id=ANNA, rich_message=rich)
    words: str = answer["description"]
    return words.removeprefix("Bad Request: ")


async def test_blocks_arrive_as_a_rich_message(ask: Ask, anna: Person):
    blocks = [
        {"type": "heading", "text": "Sky", "size": 1},
        paragraph("It is blue."),
        {
            "type": "list",
            "items": [
                {"blocks": [paragraph("a")]},
                {"blocks": [paragraph("b")], "value": 3},
                {"blocks": [paragraph("c")], "value": 4, "type": "I"},
                {"blocks": [paragraph("d")], "value": 2, "type": "a"},
            ],
        },
        {"type": "table", "cells": [[CELL | {"is_header": True}], [CELL]]},
        {"type": "mathematical_expression", "expression": "E=mc^2"},
        {"type": "details", "summary": "More", "blocks": [{"type": "pre", "text": "x", "language": "py"}]},
    ]
    answer = await ask("sendRichMessage", chat_id=ANNA, rich_message={"blocks": blocks, "is_rtl": True})
    assert answer["ok"], answer
    shown = anna.messages[-1]["rich_message"]
    assert shown["is_rtl"] is True
    assert [block["type"] for block in shown["blocks"]] == [block["type"] for block in blocks]
    assert [item["label"] for item in shown["blocks"][2]["items"]] == ["•", "3.", "IV.", "b."]


@pytest.mark.parametrize(
    "rich", [{}, {"html": "x", "markdown": "y"}, {"html": "x", "blocks": []}, {"markdown": "x", "blocks": []}]
)
async def test_exactly_one_source_is_used(ask: Ask, rich: Json):
    assert await refusal(ask, **rich) == "exactly one of the fields html, markdown, or blocks must be used"


async def test_markdown_is_shown_as_its_source(ask: Ask, anna: Person):
    await ask("sendRichMessage", chat_id=ANNA, rich_message={"markdown": "# Sky\n\nIt is **blue**."})
    assert anna.messages[-1]["rich_message"]["blocks"] == [paragraph("# Sky"), paragraph("It is **blue**.")]


@pytest.mark.parametrize(
    ("fits", "goes_beyond", "words"),
    [
        ([paragraph("x" * 32_768)], [paragraph("x" * 32_768), paragraph("y")], "message is too long"),
        ([paragraph("x")] * 500, [paragraph("x")] * 501, "rich message has more than 500 blocks"),
        ([nested(16)], [nested(17)], "rich message has more than 16 nesting levels"),
        (
            [{"type": "table", "cells": [[CELL] * 20]}],
            [{"type": "table", "cells": [[CELL] * 19 + [CELL | {"colspan": 2}]]}],
            "rich message table has more than 20 columns",
        ),
        (
            [{"type": "table", "cells": [[CELL]] * 499}],
            [{"type": "table", "cells": [[CELL]] * 500}],
            "rich message has more than 500 blocks",
        ),
        (
            [{"type": "heading", "text": "x", "size": 6}],
            [{"type": "heading", "text": "x", "size": 7}],
            "wrong heading size specified",
        ),
        (
            [{"type": "buttons", "buttons": [{"text": "x", "callback_data": "x"}]}],
            [{"type": "buttons", "buttons": [{"text": "x", "callback_data": "x"}] * 9}],
            "a row has 1-8 buttons",
        ),
        (
            [paragraph("x")],
            [{"type": "buttons", "buttons": [{"text": "x", "callback_data": "x" * 65}]}],
            "BUTTON_DATA_INVALID",
        ),
        ([paragraph("x")], [], "message text is empty"),
        ([{"type": "divider"}], [paragraph(" \n")], "message text is empty"),
        (
            [{"type": "list", "items": [{"blocks": [paragraph("x")]}]}],
            [paragraph("x"), {"type": "list", "items": [{"blocks": []}]}],
            "rich message block is empty",
        ),
        ([paragraph("x")], [paragraph("x"), {"type": "list", "items": []}], "rich message block is empty"),
        ([paragraph("x")], [paragraph("x"), {"type": "table", "cells": []}], "rich message block is empty"),
        (
            [paragraph("x")],
            [paragraph("x"), {"type": "details", "summary": "s", "blocks": []}],
            "rich message block is empty",
        ),
        (
            [paragraph("x")],
            [{"type": "thinking", "text": "…"}],
            "a thinking block may be used only in sendRichMessageDraft",
        ),
    ],
)
async def test_the_documented_limits_hold(ask: Ask, fits: list[Json], goes_beyond: list[Json], words: str):
    answer = await ask("sendRichMessage", chat_id=ANNA, rich_message={"blocks": fits})
    assert answer["ok"], answer
    assert await refusal(ask, blocks=goes_beyond) == words


async def test_text_hidden_in_nested_styles_counts(ask: Ask):
    text = [{"type": "bold", "text": ["x" * 20_000, {"type": "italic", "text": "y" * 12_769}]}]
    assert await refusal(ask, blocks=[{"type": "paragraph", "text": text}]) == "message is too long"


async def test_lists_count_as_levels_and_table_cells_as_text(ask: Ask):
    block = paragraph("deep")
    for _ in range(16):
        block = {"type": "list", "items": [{"blocks": [block]}]}
    assert await refusal(ask, blocks=[block]) == "rich message has more than 16 nesting levels"
    table = {"type": "table", "cells": [[CELL | {"text": "x" * 32_769}]]}
    assert await refusal(ask, blocks=[table]) == "message is too long"


async def test_an_unknown_block_or_field_is_refused(ask: Ask):
    assert "rich message" in await refusal(ask, blocks=[{"type": "hologram"}])
    words = await refusal(ask, blocks=[paragraph("x") | {"colour": "red"}])
    assert words == "sendRichMessage has no parameter 'rich_message.blocks.colour'"


async def test_a_photo_in_a_rich_message_is_uploaded_with_it(bot: Bot, anna: Person):
    photo = InputMediaPhoto(media=BufferedInputFile(png(30, 20), "a.png"))
    await bot.send_rich_message(ANNA, InputRichMessage(blocks=[InputRichBlockPhoto(photo=photo)]))
    (block,) = anna.messages[-1]["rich_message"]["blocks"]
    assert (block["photo"][0]["width"], block["photo"][0]["height"]) == (30, 20)


async def test_a_rich_draft_is_shown_and_uploads_nothing(ask: Ask, anna: Person):
    thinking = [{"type": "thinking", "text": "Thinking…"}, paragraph("The sky")]
    answer = await ask("sendRichMessageDraft", chat_id=ANNA, draft_id=5, rich_message={"blocks": thinking})
    assert answer == {"ok": True, "result": True}
    assert anna.draft is not None
    assert anna.draft["rich_message"]["blocks"] == thinking
    assert anna.draft["text"] == "Thinking…\nThe sky"
    photo = {"type": "photo", "photo": {"type": "photo", "media": "attach://x"}}
    answer = await ask("sendRichMessageDraft", chat_id=ANNA, draft_id=5, rich_message={"blocks": [photo]})
    assert answer["description"] == "Bad Request: new files can't be uploaded in a draft"
    assert anna.messages == []


async def test_a_text_can_be_edited_into_a_rich_message(ask: Ask, anna: Person):
    sent = await ask("sendMessage", chat_id=ANNA, text="plain")
    target = {"chat_id": ANNA, "message_id": sent["result"]["message_id"]}
    rich = {"blocks": [paragraph("rich")]}
    assert (await ask("editMessageText", **target, rich_message=rich))["ok"]
    assert "text" not in anna.messages[-1]
    again = await ask("editMessageText", **target, rich_message=rich)
    assert "message is not modified" in again["description"]
    both = await ask("editMessageText", **target, rich_message=rich, text="x")
    assert both["description"] == "Bad Request: exactly one of text and rich_message must be specified"
