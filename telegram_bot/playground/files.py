"""Files people and the bot have sent, kept in memory, and the sizes of pictures read from their headers."""

from __future__ import annotations

import mimetypes
import secrets
import struct
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Final

from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.shapes import Json, Upload

UPLOAD_MAX_BYTES: Final = 50 * 1024 * 1024  # https://core.telegram.org/bots/api#sending-files
DOWNLOAD_MAX_BYTES: Final = 20 * 1024 * 1024  # https://core.telegram.org/bots/api#getfile
PHOTO_MAX_BYTES: Final = 10 * 1024 * 1024  # sendPhoto: "at most 10 MB in size"
PHOTO_SIDES_MAX: Final = 10_000  # sendPhoto: "width and height must not exceed 10000 in total"
PHOTO_RATIO_MAX: Final = 20  # sendPhoto: "Width and height ratio must be at most 20"
# Start-of-frame markers of JPEG: the segments that carry height and width (ITU T.81, table B.1).
JPEG_FRAMES: Final = frozenset(
    {*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}
)
JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file under the id the Bot API knows it by."""

    file_id: str
    unique_id: str
    folder: str
    name: str
    mime_type: str
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """The file_path of getFile."""
        return f"{self.folder}/{self.unique_id}{PurePath(self.name).suffix}"

    def identity(self) -> Json:
        """The fields every kind of file object begins with."""
        return {"file_id": self.file_id, "file_unique_id": self.unique_id, "file_size": len(self.body)}


class FileStore:
    """All files by their ids."""

    def __init__(self) -> None:
        self._by_id: dict[str, StoredFile] = {}
        # Set, the stand-in is a Bot API server of one's own, started with --local: no limit, files on disk.
        self.local: Path | None = None

    def add(self, folder: str, upload: Upload) -> StoredFile:
        """Keep a file; the declared content type gives way to the one its name says when it says nothing."""
        name = upload.name.replace("/", "_").replace("\\", "_") or "file"
        guessed = mimetypes.guess_type(name)[0]
        declared = upload.content_type if upload.content_type != "application/octet-stream" else None
        stored = StoredFile(
            file_id=f"{folder}-{secrets.token_urlsafe(24)}",
            unique_id=secrets.token_urlsafe(9),
            folder=folder,
            name=name,
            mime_type=declared or guessed or "application/octet-stream",
            body=upload.body,
        )
        self._by_id[stored.file_id] = stored
        return stored

    def put_on_disk(self, stored: StoredFile) -> str:
        """The absolute path under which a server of one's own gives a file out."""
        assert self.local is not None
        place = self.local / stored.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(stored.body)
        return str(place)

    def get(self, file_id: str) -> StoredFile | None:
        return self._by_id.get(file_id)

    def at(self, path: str) -> StoredFile | None:
        """The file behind a file_path."""
        return next((stored for stored in self._by_id.values() if stored.path == path), None)


def image_size(body: bytes) -> tuple[int, int] | None:
    """Width and height from a PNG, GIF or JPEG header; None when it is none of them."""
    if body[:8] == b"\x89PNG\r\n\x1a\n" and len(body) >= 24:
        width, height = struct.unpack(">II", body[16:24])
        return int(width), int(height)
    if body[:6] in (b"GIF87a", b"GIF89a") and len(body) >= 10:
        width, height = struct.unpack("<HH", body[6:10])
        return int(width), int(height)
    if body[:2] == b"\xff\xd8":
        return _jpeg_size(body)
    return None


def _jpeg_size(body: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(body):
        if body[at] != 0xFF:
            return None
        marker = body[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in JPEG_BARE:
            at += 2
        elif marker in JPEG_FRAMES:
            height, width = struct.unpack(">HH", body[at + 5 : at + 9])
            return int(width), int(height)
        else:
            at += 2 + int.from_bytes(body[at + 2 : at + 4], "big")
    return None


def checked_photo_size(body: bytes) -> tuple[int, int]:
    """The size of a picture Telegram would take as a photo, or its refusal."""
    if len(body) > PHOTO_MAX_BYTES:
        raise bad_request(f"file of size {len(body)} bytes is too big for a photo")
    size = image_size(body)
    if size is None:
        raise bad_request("IMAGE_PROCESS_FAILED")
    width, height = size
    if not width or not height or width + height > PHOTO_SIDES_MAX:
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    if max(width, height) > PHOTO_RATIO_MAX * min(width, height):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    return size
