"""The files of a thread: bytes in storage, short ids for the model."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from config.aio import in_db
from conversations.contracts import NewFile, ToolFailed
from conversations.models import UserFile
from conversations.parts import File

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # nothing a model or a person misreads
NAME_MAX = 255


def new_short_id() -> str:
    """Four characters are 900,000 ids a thread; the table's constraint catches the rare twin."""
    return "f_" + "".join(secrets.choice(ALPHABET) for _ in range(4))


def store_file(new: NewFile, *, thread_id: int, user_id: int, made_by: str) -> UserFile:
    """Write the bytes under a name of our own and return the row, not yet saved.

    The given name is a label only: it never becomes part of a path.
    """
    short_id = new_short_id()
    place = f"files/{timezone.now():%Y/%m}/{secrets.token_hex(16)}{_suffix(new.name)}"
    stored = default_storage.save(place, ContentFile(new.content))
    return UserFile(
        thread_id=thread_id,
        user_id=user_id,
        short_id=short_id,
        name=new.name[-NAME_MAX:],
        mime=new.mime,
        size=len(new.content),
        stored=stored,
        made_by=made_by,
    )


def _suffix(name: str) -> str:
    suffix = PurePath(name).suffix.lower()
    return suffix if suffix.isascii() and suffix[1:].isalnum() and len(suffix) <= 8 else ""


def part_of(file: UserFile) -> File:
    return File(file.short_id, file.name, file.mime, file.size)


def read_file(thread_id: int, short_id: str) -> tuple[File, bytes]:
    """A file of this thread and its bytes. Raises ToolFailed with the valid ids when there is none."""
    file = UserFile.objects.filter(thread_id=thread_id, short_id=short_id).first()
    if file is None:
        known = ", ".join(known.id for known in list_files(thread_id)) or "none yet"
        raise ToolFailed(f"There is no file {short_id!r} in this conversation. Valid file ids: {known}.")
    with file.stored.open("rb") as stored:
        return part_of(file), stored.read()


def list_files(thread_id: int) -> list[File]:
    return [part_of(file) for file in UserFile.objects.filter(thread_id=thread_id).order_by("pk")]


@dataclass(frozen=True, slots=True)
class ThreadFiles:
    """What a tool sees of a thread's files (contracts.Files)."""

    thread_id: int

    async def read(self, file_id: str) -> tuple[File, bytes]:
        return await in_db(read_file)(self.thread_id, file_id)

    async def listing(self) -> Sequence[File]:
        return await in_db(list_files)(self.thread_id)
