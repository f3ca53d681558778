"""Rich messages: what a bot may put in one, and what a message then shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from aiogram.types import InputRichMessage, RichMessageButton

from telegram_bot.playground.arguments import as_json
from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.files import FileStore
from telegram_bot.playground.keyboards import check_button
from telegram_bot.playground.media import ATTACH, chosen, shown
from telegram_bot.playground.shapes import Json, Uploads

# https://core.telegram.org/bots/api#rich-messages, as stated in @grammyjs/types rich.d.ts
CHARACTERS_MAX: Final = 32_768
BLOCKS_MAX: Final = 500  # nested blocks, list items and table rows count
NESTING_MAX: Final = 16
MEDIA_MAX: Final = 50
COLUMNS_MAX: Final = 20
BUTTONS: Final = range(1, 9)  # InputRichBlockButtons.buttons: "List of 1-8 buttons"
HEADING_SIZES: Final = range(1, 7)  # InputRichBlockSectionHeading.size: "1-6"
ALIGNMENTS: Final = frozenset({"left", "center", "right"})
VERTICAL_ALIGNMENTS: Final = frozenset({"top", "middle", "bottom"})
SOURCES: Final = ("html", "markdown", "blocks")
# The type of a media block, and the Bot API's kind of its file.
MEDIA: Final = {
    "photo": "photo",
    "document": "document",
    "animation": "animation",
    "audio": "audio",
    "video": "video",
    "voice_note": "voice",
}
# The fields of a block, at any depth, whose text a reader sees.
READ: Final = ("text", "summary", "caption", "credit", "expression", "alternative_text")
HOLDING: Final = ("blocks", "items", "cells")  # what is nothing without something in it
ROMAN: Final = ((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))


def rich_message(
    message: InputRichMessage, files: FileStore, uploads: Uploads, *, is_draft: bool = False
) -> Json:
    """The RichMessage a person sees, or the refusal of what goes beyond the documented limits."""
    given = as_json(message)
    if sum(source in given for source in SOURCES) != 1:
        raise bad_request("exactly one of the fields html, markdown, or blocks must be used")
    source = given.get("html") or given.get("markdown") or ""
    blocks = given["blocks"] if "blocks" in given else _paragraphs(source)
    if not blocks:
        raise bad_request("message text is empty")
    shape = {"blocks": _Reading(files, uploads, is_draft).all(blocks, 1)}
    if not any(_is_seen(block) for block in blocks):
        raise bad_request("message text is empty")
    return shape | ({"is_rtl": True} if given.get("is_rtl") else {})


def plain(node: Any) -> str:
    """The words of blocks or rich text, for whoever shows no styles."""
    if isinstance(node, str):
        return node
    if isinstance(node, list):
        return "".join(plain(item) for item in node)
    if isinstance(node, dict):
        return "".join(plain(node[name]) for name in READ if name in node)
    return ""


def words_of_blocks(blocks: list[Json]) -> str:
    """Everything a reader sees of blocks, in the order of reading; a block, an item and a row are a line each."""
    return "\n".join(line for block in blocks for line in _lines(block))


def _lines(block: Json) -> Iterator[str]:
    if own := plain(block):
        yield own
    for row in block.get("cells", ()):
        yield " | ".join(plain(cell.get("text", "")) for cell in row)
    for inside in (block, *block.get("items", ())):
        if words := words_of_blocks(inside.get("blocks", [])):
            yield words


def _is_seen(block: Json) -> bool:
    """Whether there is anything to look at: words, a picture, a line, a button."""
    return block["type"] in (*MEDIA, "divider", "buttons", "map") or bool("".join(_lines(block)).strip())


def _paragraphs(source: str) -> list[Json]:
    """The stand-in does not render Rich Markdown or HTML: people see the source, a paragraph each."""
    return [{"type": "paragraph", "text": part} for part in source.split("\n\n") if part.strip()]


class _Reading:
    """One pass over the blocks, counting what is limited."""

    def __init__(self, files: FileStore, uploads: Uploads, is_draft: bool) -> None:
        self.files = files
        self.uploads = uploads
        self.is_draft = is_draft
        self.characters = 0
        self.blocks = 0
        self.media = 0

    def all(self, blocks: list[Json], depth: int) -> list[Json]:
        if depth > NESTING_MAX:
            raise bad_request(f"rich message has more than {NESTING_MAX} nesting levels")
        return [self._block(block, depth) for block in blocks]

    def _block(self, block: Json, depth: int) -> Json:
        self._count()
        kind = block["type"]
        self._read(plain(block))
        if kind == "thinking" and not self.is_draft:
            raise bad_request("a thinking block may be used only in sendRichMessageDraft")
        if kind == "heading" and block["size"] not in HEADING_SIZES:
            raise bad_request("wrong heading size specified")
        if any(name in block and not block[name] for name in HOLDING):
            raise bad_request("rich message block is empty")
        if kind == "list":
            return block | {"items": [self._item(item, depth) for item in block["items"]]}
        if kind == "table":
            self._check_table(block)
        if kind == "buttons":
            _check_buttons(block)
        if kind in MEDIA:
            return self._media(block, kind)
        if "blocks" in block:
            return block | {"blocks": self.all(block["blocks"], depth + 1)}
        return block

    def _count(self) -> None:
        self.blocks += 1
        if self.blocks > BLOCKS_MAX:
            raise bad_request(f"rich message has more than {BLOCKS_MAX} blocks")

    def _read(self, text: str) -> None:
        self.characters += len(text)
        if self.characters > CHARACTERS_MAX:
            raise bad_request("message is too long")

    def _item(self, item: Json, depth: int) -> Json:
        self._count()
        if not item["blocks"]:
            raise bad_request("rich message block is empty")
        return item | {"label": _label(item), "blocks": self.all(item["blocks"], depth + 1)}

    def _check_table(self, block: Json) -> None:
        for row in block["cells"]:
            self._count()
            if sum(cell.get("colspan", 1) for cell in row) > COLUMNS_MAX:
                raise bad_request(f"rich message table has more than {COLUMNS_MAX} columns")
            for cell in row:
                self._read(plain(cell.get("text", "")))
                if cell["align"] not in ALIGNMENTS or cell["valign"] not in VERTICAL_ALIGNMENTS:
                    raise bad_request("wrong table cell alignment specified")

    def _media(self, block: Json, kind: str) -> Json:
        self.media += 1
        if self.media > MEDIA_MAX:
            raise bad_request(f"rich message has more than {MEDIA_MAX} media")
        media = block[kind]
        if self.is_draft and media["media"].startswith((ATTACH, "http://", "https://")):
            raise bad_request("new files can't be uploaded in a draft")
        file = chosen(MEDIA[kind], media["media"], self.files, self.uploads)
        fields = shown(MEDIA[kind], file)
        spoiler = {"has_spoiler": True} if media.get("has_spoiler") else {}
        return block | spoiler | {kind: fields[MEDIA[kind]]}


def _check_buttons(block: Json) -> None:
    if len(block["buttons"]) not in BUTTONS:
        raise bad_request("a row has 1-8 buttons")
    for button in block["buttons"]:
        check_button(RichMessageButton.model_validate(button | {"text": plain(button["text"])}))


def _label(item: Json) -> str:
    """What stands before a list item: a bullet, or its number in the wanted digits."""
    if "value" not in item and "type" not in item:
        return "•"
    number = item.get("value", 1)
    style = item.get("type", "1")
    if style in ("a", "A") and 1 <= number <= 26:
        text = chr(ord("a") + number - 1)
    elif style in ("i", "I") and number > 0:
        text = _roman(number)
    else:
        text = str(number)
    return f"{text.upper() if style in ('A', 'I') else text}."


def _roman(number: int) -> str:
    text = ""
    for value, letters in ROMAN:
        text += letters * (number // value)
        number %= value
    return text
