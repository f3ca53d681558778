"""How a file looks inside a message."""

from __future__ import annotations


from telegram_bot.playground.errors import Refused
from telegram_bot.playground.files import FileStore, checked_photo_size, image_size
from telegram_bot.playground.shapes import Json, Upload


def photo(files: FileStore, upload: Upload) -> Json:
    """A message's `photo`, in one size."""
    width, height = checked_photo_size(upload.body)
    stored = files.add("photos", upload)
    return {"photo": [stored.identity() | {"width": width, "height": height}]}


def document(files: FileStore, upload: Upload) -> Json:
    """A message's `document`."""
    stored = files.add("documents", upload)
    return {"document": stored.identity() | {"file_name": stored.name, "mime_type": stored.mime_type}}


def voice(files: FileStore, upload: Upload, duration: int = 1) -> Json:
    """A message's `voice`."""
    stored = files.add("voice", upload)
    return {"voice": stored.identity() | {"duration": duration, "mime_type": stored.mime_type}}


def animation(files: FileStore, upload: Upload, duration: int = 1) -> Json:
    """A message's `animation`, and the `document` Telegram repeats it as."""
    stored = files.add("animations", upload)
    width, height = image_size(upload.body) or (0, 0)
    file = stored.identity() | {"file_name": stored.name, "mime_type": stored.mime_type}
    return {"animation": file | {"width": width, "height": height, "duration": duration}, "document": file}


def received(files: FileStore, upload: Upload, kind: str | None) -> Json:
    """What a person's app makes of a file they send."""
    if kind == "voice":
        return voice(files, upload)
    if kind == "photo" or (kind is None and upload.content_type in ("image/png", "image/jpeg")):
        try:
            return photo(files, upload)
        except Refused:
            return document(files, upload)  # the apps fall back to a file
    return document(files, upload)
