"""How a file looks inside a message, and which file a bot means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiogram.types import InputFile

from telegram_bot.playground.attached import Attached
from telegram_bot.playground.errors import Refused, bad_request
from telegram_bot.playground.files import FileStore, StoredFile, checked_photo_size, image_size
from telegram_bot.playground.shapes import Json, Upload, Uploads

ATTACH: Final = "attach://"
PHOTO_TYPES: Final = frozenset({"image/png", "image/jpeg"})
BY_TYPE: Final = {"video/mp4": "video", "audio/mpeg": "audio", "audio/mp4": "audio", "image/gif": "animation"}
# The Bot API's field of a kind of media, and the folder of its file_path.
FOLDERS: Final = {
    "photo": "photos",
    "document": "documents",
    "animation": "animations",
    "voice": "voice",
    "audio": "music",
    "video": "videos",
    "video_note": "video_notes",
    "sticker": "stickers",
}
STICKER_SIDE: Final = 512  # pixels; a sticker has one side of exactly this


def chosen(kind: str, value: str | InputFile, files: FileStore, uploads: Uploads) -> StoredFile:
    """The file a bot sends: one it uploads now or, by its id, one that is there."""
    name = value.name if isinstance(value, Attached) else str(value)
    if name.startswith(ATTACH):
        upload = uploads.get(name.removeprefix(ATTACH))
        if upload is None:
            raise bad_request(f"file {name!r} is not attached")
        return stored(kind, upload, files)
    if name.startswith(("http://", "https://")):
        raise bad_request("failed to get HTTP URL content")  # the stand-in never goes to the network
    known = files.get(name)
    if known is None:
        raise bad_request("wrong file identifier/HTTP URL specified")
    if known.folder != FOLDERS[kind]:
        raise bad_request(f"type of file mismatch: it is not usable as {kind}")
    return known


def stored(kind: str, upload: Upload, files: FileStore) -> StoredFile:
    """Keep an uploaded file, or refuse an empty one and a picture that is no photo."""
    if not upload.body:
        raise bad_request("file must be non-empty")
    if kind == "photo":
        checked_photo_size(upload.body)
    return files.add(FOLDERS[kind], upload)


def shown(kind: str, file: StoredFile, details: Json | None = None) -> Json:
    """The field or fields of a message that show this file; `details` are what the sender said of it."""
    return SHAPES[kind](file, {name: value for name, value in (details or {}).items() if value is not None})


def kind_of(upload: Upload) -> str:
    """The kind the apps make of a file by its type."""
    if upload.content_type in PHOTO_TYPES:
        return "photo"
    return BY_TYPE.get(upload.content_type, "document")


def received(files: FileStore, upload: Upload, kind: str | None, details: Json) -> Json:
    """What a person's app makes of a file they send."""
    kind = kind or kind_of(upload)
    if kind not in FOLDERS:
        raise bad_request("there is no such kind of file")
    try:
        return shown(kind, stored(kind, upload, files), details)
    except Refused:
        if kind != "photo":
            raise
        return shown("document", stored("document", upload, files))  # the apps send it as a file then


def _photo(file: StoredFile, _: Json) -> Json:
    width, height = checked_photo_size(file.body)
    return {"photo": [file.identity() | {"width": width, "height": height}]}


def _document(file: StoredFile, _: Json) -> Json:
    return {"document": file.identity() | {"file_name": file.name, "mime_type": file.mime_type}}


def _animation(file: StoredFile, details: Json) -> Json:
    width, height = image_size(file.body) or (0, 0)
    document = _document(file, {})["document"]
    size = {"width": width, "height": height, "duration": 0}
    # Bots that know no animations find the same file as a document.
    return {"animation": document | size | details, "document": document}


def _voice(file: StoredFile, details: Json) -> Json:
    return {"voice": file.identity() | {"duration": 0, "mime_type": file.mime_type} | details}


def _audio(file: StoredFile, details: Json) -> Json:
    return {"audio": _document(file, {})["document"] | {"duration": 0} | details}


def _video(file: StoredFile, details: Json) -> Json:
    size = {"width": 0, "height": 0, "duration": 0}
    return {"video": _document(file, {})["document"] | size | details}


def _video_note(file: StoredFile, details: Json) -> Json:
    return {"video_note": file.identity() | {"length": 240, "duration": 0} | details}


def _sticker(file: StoredFile, details: Json) -> Json:
    size = {"type": "regular", "width": STICKER_SIDE, "height": STICKER_SIDE}
    return {"sticker": file.identity() | size | {"is_animated": False, "is_video": False} | details}


SHAPES: Final[dict[str, Callable[[StoredFile, Json], Json]]] = {
    "photo": _photo,
    "document": _document,
    "animation": _animation,
    "voice": _voice,
    "audio": _audio,
    "video": _video,
    "video_note": _video_note,
    "sticker": _sticker,
}
