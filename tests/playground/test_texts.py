"""Texts: how long, how clean, and which entities stay."""

from typing import Any

import pytest

from telegram_bot.playground import Person, utf16
from tests.playground.conftest import ANNA, Ask

Json = dict[str, Any]


def entity(kind: str, offset: int, length: int, **more: Any) -> Json:
    return {"type": kind, "offset": offset, "length": length, **more}


async def sent(ask: Ask, text: str, **arguments: Any) -> Json:
    answer = await ask("sendMessage", chat_id=ANNA, text=text, **arguments)
    assert answer["ok"], answer
    result: Json = answer["result"]
    return result


async def refusal(ask: Ask, text: str, **arguments: Any) -> str:
    answer = await ask("sendMessage", chat_id=ANNA, text=text, **arguments)
    assert answer["error_code"] == 400
    words: str = answer["description"]
    return words


@pytest.mark.parametrize("letter", ["a", "ж", "😀"])
async def test_a_message_has_up_to_4096_code_units(ask: Ask, letter: str):
    fits = letter * (4096 // utf16.length(letter))
    assert (await sent(ask, fits))["text"] == fits
    assert await refusal(ask, fits + letter) == "Bad Request: message is too long"


async def test_the_length_is_measured_after_parsing(ask: Ask):
    message = await sent(ask, "<b>" + "a" * 4096 + "</b>", parse_mode="HTML")
    assert len(message["text"]) == 4096


async def test_a_huge_text_is_refused_unparsed(ask: Ask):
    assert await refusal(ask, "a" * 40_000) == "Bad Request: text is too long"


@pytest.mark.parametrize("text", [" ", "\n \n", "\r", "\u2029"])
async def test_a_text_of_nothing_visible_is_refused(ask: Ask, text: str):
    assert await refusal(ask, text) == "Bad Request: text must be non-empty"


async def test_a_text_is_trimmed_and_cleaned(ask: Ask):
    message = await sent(ask, " \n a\tb\r\nc\u202e\x00d \n")
    assert message["text"] == "a b\nc d"


async def test_entities_follow_their_text_through_trimming_and_cleaning(ask: Ask):
    text = "\r  😀 bold\r tail  "
    message = await sent(ask, text, entities=[entity("bold", 6, 6), entity("italic", 12, 6)])
    assert message["text"] == "😀 bold tail"
    assert message["entities"] == [entity("bold", 3, 5), entity("italic", 8, 4)]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (entity("bold", -1, 2), "receive an entity with incorrect offset -1"),
        (entity("bold", 0, -2), "receive an entity with incorrect length -2"),
        (entity("bold", 9, 1), "entity begins after the end of the text at UTF-16 offset 9"),
        (
            entity("bold", 1, 9),
            "entity beginning at UTF-16 offset 1 ends after the end of the text at UTF-16 offset 10",
        ),
        (entity("bold", 3, 1), "entity begins in a middle of a UTF-16 symbol at UTF-16 offset 3"),
        (
            entity("bold", 0, 3),
            "entity beginning at UTF-16 offset 0 ends in a middle of a UTF-16 symbol at UTF-16 offset 3",
        ),
        (entity("loud", 0, 1), "can't parse MessageEntity: Unsupported type specified"),
        (entity("text_link", 0, 1), "can't parse MessageEntity: Can't find field \"url\""),
    ],
)
async def test_a_wrong_entity_is_refused(ask: Ask, wrong: Json, words: str):
    assert await refusal(ask, "ab😀", entities=[wrong]) == f"Bad Request: {words}"


async def test_entities_telegram_does_not_keep_are_dropped(ask: Ask):
    named = [entity("mention", 0, 2), entity("bold", 0, 0), entity("italic", 2, 1), entity("bold", 3, 2)]
    message = await sent(ask, "ab cd", entities=named)
    assert message["entities"] == [entity("bold", 3, 2)]


async def test_nothing_is_styled_inside_code_and_code_does_not_overlap_links(ask: Ask):
    named = [entity("bold", 0, 9), entity("code", 2, 3), entity("text_link", 4, 4, url="http://a.b/")]
    message = await sent(ask, "abcdefghi", entities=named)
    assert message["entities"] == [entity("bold", 0, 2), entity("code", 2, 3), entity("bold", 5, 4)]


async def test_only_a_hundred_entities_stay(ask: Ask):
    named = [entity("bold", 2 * number, 1) for number in range(101)]
    message = await sent(ask, "a " * 101, entities=named)
    assert message["entities"] == named[:100]


async def test_links_commands_names_and_tags_are_found_where_nothing_else_stands(ask: Ask):
    text = "/start 😀 https://a.b/c?d. @anna_b #tag me@a.io https://in.code"
    message = await sent(ask, text, entities=[entity("code", 48, 15)])
    found = [(item["type"], utf16_slice(text, item)) for item in message["entities"]]
    assert found == [
        ("bot_command", "/start"),
        ("url", "https://a.b/c?d"),
        ("mention", "@anna_b"),
        ("hashtag", "#tag"),
        ("email", "me@a.io"),
        ("code", "https://in.code"),
    ]


def utf16_slice(text: str, item: Json) -> str:
    units = text.encode("utf-16-le")
    return units[2 * item["offset"] : 2 * (item["offset"] + item["length"])].decode("utf-16-le")


async def test_half_a_character_is_no_text(ask: Ask):
    assert await refusal(ask, "\ud83d") == "Bad Request: strings must be encoded in UTF-8"


async def test_html_becomes_text_and_entities(ask: Ask):
    source = (
        '<b>b <i>i</i></b> &lt;&amp; <a href="http://x.y/">link</a> <tg-spoiler>s</tg-spoiler> '
        '<pre><code class="language-python">a &lt; b</code></pre><blockquote expandable>q</blockquote>'
    )
    message = await sent(ask, source, parse_mode="HTML")
    assert message["text"] == "b i <& link s a < bq"
    assert message["entities"] == [
        entity("bold", 0, 3),
        entity("italic", 2, 1),
        entity("text_link", 7, 4, url="http://x.y/"),
        entity("spoiler", 12, 1),
        entity("pre", 14, 5, language="python"),
        entity("expandable_blockquote", 19, 1),
    ]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("é <nope>x</nope>", 'Unsupported start tag "nope" at byte offset 3'),
        ("1 < 2", 'Unsupported start tag "" at byte offset 2'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
    ],
)
async def test_html_that_cannot_be_read_is_refused(ask: Ask, source: str, words: str):
    assert await refusal(ask, source, parse_mode="HTML") == f"Bad Request: can't parse entities: {words}"


async def test_markdown_becomes_text_and_entities(ask: Ask):
    source = "*b _i_ __u__* ~s~ ||sp|| [l](http://x.y/\\)) `c.d` \\.\n```py\nx = 1\n```\n>quote\n>more\nrest"
    message = await sent(ask, source, parse_mode="MarkdownV2")
    assert message["text"] == "b i u s sp l c.d .\nx = 1\n\nquote\nmore\nrest"
    assert message["entities"] == [
        entity("bold", 0, 5),
        entity("italic", 2, 1),
        entity("underline", 4, 1),
        entity("strikethrough", 6, 1),
        entity("spoiler", 8, 2),
        entity("text_link", 11, 1, url="http://x.y/)"),
        entity("code", 13, 3),
        entity("pre", 19, 6, language="py"),
        entity("blockquote", 26, 10),
    ]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("a.b", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("1 > 2", "Character '>' is reserved and must be escaped with the preceding '\\'"),
        ("é *x", "Can't find end of Bold entity at byte offset 3"),
        ("```x", "Can't find end of Pre entity at byte offset 0"),
        ("[a](http://x", "Can't find end of a URL at byte offset 4"),
        ("![a](http://x)", "Custom emoji entity must contain a tg://emoji URL"),
        (">*a\nb*", "Can't find end of Bold entity at byte offset 1"),
    ],
)
async def test_markdown_that_cannot_be_read_is_refused(ask: Ask, source: str, words: str):
    assert (
        await refusal(ask, source, parse_mode="MarkdownV2") == f"Bad Request: can't parse entities: {words}"
    )


async def test_an_unknown_parse_mode_is_refused(ask: Ask):
    assert await refusal(ask, "x", parse_mode="Markup") == "Bad Request: unsupported parse_mode"


async def test_a_parse_mode_wins_over_entities(ask: Ask):
    message = await sent(ask, "<i>x</i>", parse_mode="html", entities=[entity("bold", 0, 1)])
    assert message["entities"] == [entity("italic", 0, 1)]


async def test_a_reply_shows_what_it_answers(ask: Ask, anna: Person):
    question = await anna.send("What is blue?")
    message = await sent(
        ask, "The sky.", reply_parameters={"message_id": question["message_id"], "quote": "blue"}
    )
    assert message["reply_to_message"]["text"] == "What is blue?"
    assert message["quote"] == {"text": "blue", "position": 8, "is_manual": True}
    assert (await sent(ask, "old", reply_to_message_id=question["message_id"]))["reply_to_message"]


async def test_a_reply_to_nothing_is_refused_unless_that_is_fine(ask: Ask, anna: Person):
    question = await anna.send("hello")
    assert await refusal(ask, "x", reply_parameters={"message_id": 1}) == (
        "Bad Request: message to be replied not found"
    )
    lenient = {"message_id": 1, "allow_sending_without_reply": True}
    assert "reply_to_message" not in await sent(ask, "x", reply_parameters=lenient)
    wrong_quote = {"message_id": question["message_id"], "quote": "bye"}
    assert await refusal(ask, "x", reply_parameters=wrong_quote) == "Bad Request: QUOTE_TEXT_INVALID"


async def test_ids_rise_over_all_private_chats(ask: Ask, anna: Person):
    first = await anna.send("one")
    second = await sent(ask, "two")
    third = (await ask("sendMessage", chat_id=1002, text="three"))["result"]
    ids = [message["message_id"] for message in (first, second, third)]
    assert ids == [ids[0], ids[0] + 1, ids[0] + 2]


async def test_link_previews_are_remembered_by_an_edit(ask: Ask):
    message = await sent(ask, "http://a.b", link_preview_options={"is_disabled": True})
    assert message["link_preview_options"] == {"is_disabled": True}
    answer = await ask("editMessageText", chat_id=ANNA, message_id=message["message_id"], text="http://c.d")
    assert answer["result"]["link_preview_options"] == {"is_disabled": True}
    assert (await sent(ask, "x", disable_web_page_preview=True))["link_preview_options"] == {
        "is_disabled": True
    }
