"""sendPhoto, sendDocument and their kin, albums, and the way back from a file's id to its bytes."""

from __future__ import annotations

import secrets
from typing import Any, Final

from aiogram.methods import (
    GetFile,
    SendAnimation,
    SendAudio,
    SendDocument,
    SendMediaGroup,
    SendPhoto,
    SendVideo,
    SendVoice,
    TelegramMethod,
)
from aiogram.types import InputFile, InputMedia

from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.files import DOWNLOAD_MAX_BYTES
from telegram_bot.playground.formatting import caption_text
from telegram_bot.playground.media import FOLDERS, chosen, shown
from telegram_bot.playground.methods.editing import caption_fields
from telegram_bot.playground.methods.messages import common_fields
from telegram_bot.playground.methods.registry import Context, method
from telegram_bot.playground.shapes import Json

ALBUM: Final = range(2, 11)  # sendMediaGroup: "must include 2-10 items"
# Documents and audio files are grouped only with their own kind.
MIXED: Final = frozenset({"photo", "video"})
DETAILS: Final = ("duration", "width", "height", "performer", "title")


@method(SendPhoto)
async def send_photo(context: Context, call: SendPhoto) -> Json:
    return _send(context, "photo", call.photo, call)


@method(SendDocument)
async def send_document(context: Context, call: SendDocument) -> Json:
    return _send(context, "document", call.document, call)


@method(SendAnimation)
async def send_animation(context: Context, call: SendAnimation) -> Json:
    return _send(context, "animation", call.animation, call)


@method(SendVoice)
async def send_voice(context: Context, call: SendVoice) -> Json:
    return _send(context, "voice", call.voice, call)


@method(SendAudio)
async def send_audio(context: Context, call: SendAudio) -> Json:
    return _send(context, "audio", call.audio, call)


@method(SendVideo)
async def send_video(context: Context, call: SendVideo) -> Json:
    return _send(context, "video", call.video, call)


@method(SendMediaGroup)
async def send_media_group(context: Context, call: SendMediaGroup) -> list[Json]:
    chat = context.state.writable(call.chat_id)
    kinds = [item.type for item in call.media]
    if len(kinds) not in ALBUM:
        raise bad_request("wrong number of media in the group: an album has 2-10 items")
    if not set(kinds) <= FOLDERS.keys() or (len(set(kinds)) > 1 and not set(kinds) <= MIXED):
        raise bad_request("media of these types can't be grouped together")
    common = common_fields(chat, call) | {"media_group_id": str(secrets.randbits(53))}
    # Everything is checked before anything is sent: an album arrives whole or not at all.
    contents = [_content(context, item.type, item.media, item) for item in call.media]
    return [context.state.post_from_bot(chat, content | common) for content in contents]


@method(GetFile)
async def get_file(context: Context, call: GetFile) -> Json:
    stored = context.state.files.get(call.file_id)
    if stored is None:
        raise bad_request("wrong file_id or the file is temporarily unavailable")
    if context.state.files.local is not None:
        return stored.identity() | {"file_path": context.state.files.put_on_disk(stored)}
    if len(stored.body) > DOWNLOAD_MAX_BYTES:
        raise bad_request("file is too big")
    return stored.identity() | {"file_path": stored.path}


def _send(context: Context, kind: str, file: str | InputFile, call: TelegramMethod[Any]) -> Json:
    chat = context.state.writable(getattr(call, "chat_id", None))
    common = common_fields(chat, call)
    return context.state.post_from_bot(chat, _content(context, kind, file, call) | common)


def _content(
    context: Context, kind: str, file: str | InputFile, said: TelegramMethod[Any] | InputMedia
) -> Json:
    """A message's media and caption, from a method or from one item of an album."""
    text, parse_mode = getattr(said, "caption", None), getattr(said, "parse_mode", None)
    caption = caption_text(text, parse_mode, getattr(said, "caption_entities", None))
    stored = chosen(kind, file, context.state.files, context.uploads)
    fields = shown(kind, stored, {name: getattr(said, name, None) for name in DETAILS})
    if getattr(said, "has_spoiler", None):
        fields["has_media_spoiler"] = True
    above = getattr(said, "show_caption_above_media", None) is True
    return fields | caption_fields(caption.text, caption.entities, above)
