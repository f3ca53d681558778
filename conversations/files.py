"""The files of a thread: bytes in storage, short ids for the model."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from config.patience import patiently
from conversations.contracts import NewFile, ToolFailed
from conversations.models import Thread, UserFile
from conversations.parts import File, FileText, Part, Parts
from conversations.reading.findings import Findings

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # nothing a model or a person misreads
NAME_MAX = 255
WORDS_MAX = 200_000  # characters of all documents of one burst: a question stays below the turn cap


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file a person sent: its bytes in storage, not yet in a thread, so still without an id."""

    name: str
    size: int
    stored: str
    shown: str  # where what models are shown instead is stored; empty: the file itself
    telegram_file_id: str
    found: Findings  # without its picture


def new_short_id() -> str:
    """Four characters are 900,000 ids a thread; the table's constraint catches the rare twin."""
    return "f_" + "".join(secrets.choice(ALPHABET) for _ in range(4))


def store_file(new: NewFile, *, thread_id: int, user_id: int, made_by: str) -> UserFile:
    """Write the bytes and return the row, not yet saved.

    The given name is a label only: it never becomes part of a path.
    """
    return UserFile(
        thread_id=thread_id,
        user_id=user_id,
        short_id=new_short_id(),
        name=new.name[-NAME_MAX:],
        mime=new.mime,
        size=len(new.content),
        stored=_store(new.content, _suffix(new.name)),
        made_by=made_by,
    )


def store_arrival(name: str, content: bytes, found: Findings, *, telegram_file_id: str) -> Arrived:
    """Write a person's file and what models are shown of it; `add_arrivals` brings it into a thread."""
    stored = _store(content, _suffix(name))
    shown = _store(found.picture, "") if found.picture else ""
    facts = Findings(found.mime, found.text, found.cut, found.shown, found.tokens)
    return Arrived(name[-NAME_MAX:], len(content), stored, shown, telegram_file_id, facts)


def _store(content: bytes, suffix: str) -> str:
    """Write bytes under a name of our own, which is returned."""
    place = f"files/{timezone.now():%Y/%m}/{secrets.token_hex(16)}{suffix}"
    return default_storage.save(place, ContentFile(content))


def _suffix(name: str) -> str:
    suffix = PurePath(name).suffix.lower()
    return suffix if suffix.isascii() and suffix[1:].isalnum() and len(suffix) <= 8 else ""


def add_arrivals(
    thread: Thread, *, user_id: int, messages: Sequence[Sequence[Part | Arrived]]
) -> list[Parts]:
    """Give the files of a burst their ids in a thread; returns the messages as they are to be stored.

    Call inside a transaction that holds the thread's row. Without a file it asks the database nothing.
    """
    arrived = [part for parts in messages for part in parts if isinstance(part, Arrived)]
    ids = dict(zip(map(id, arrived), _free_ids(thread, len(arrived)), strict=True))
    rows = [
        UserFile(
            thread=thread,
            user_id=user_id,
            short_id=ids[id(file)],
            name=file.name,
            mime=file.found.mime,
            size=file.size,
            stored=file.stored,
            shown=file.shown,
            telegram_file_id=file.telegram_file_id,
        )
        for file in arrived
    ]
    if rows:
        UserFile.objects.bulk_create(rows)
    left = WORDS_MAX
    whole: list[Parts] = []
    for message in messages:
        parts: list[Part] = []
        for part in message:
            if isinstance(part, Arrived):
                new = _parts_of(part, ids[id(part)], left)
                left -= sum(len(words.text) for words in new if isinstance(words, FileText))
                parts += new
            else:
                parts.append(part)
        whole.append(tuple(parts))
    return whole


def _free_ids(thread: Thread, count: int) -> list[str]:
    """Ids that no file of this thread has."""
    free: set[str] = set()
    while len(free) < count:
        new = {new_short_id() for _ in range(count - len(free))}
        taken = UserFile.objects.filter(thread=thread, short_id__in=new).values_list("short_id", flat=True)
        free |= new - set(taken)
    return list(free)


def _parts_of(file: Arrived, short_id: str, left: int) -> list[Part]:
    """A file and, if it has any, its words, of which `left` characters may be said."""
    found = file.found
    parts: list[Part] = [File(short_id, file.name, found.mime, file.size, found.tokens, found.shown)]
    if found.text:
        said = found.text[:left]
        parts.append(FileText(short_id, file.name, said, found.cut + len(found.text) - len(said)))
    return parts


def part_of(file: UserFile) -> File:
    return File(file.short_id, file.name, file.mime, file.size)


def read_file(thread_id: int, short_id: str) -> tuple[File, bytes]:
    """A file of this thread and its bytes. Raises ToolFailed with the valid ids when there is none."""
    file = _known(thread_id, short_id)
    with file.stored.open("rb") as stored:
        return part_of(file), stored.read()


def look_at(thread_id: int, short_id: str) -> bytes:
    """What a model is shown of a file of this thread. Raises ToolFailed or FileNotFoundError."""
    file = _known(thread_id, short_id)
    with (file.shown or file.stored).open("rb") as stored:
        return bytes(stored.read())


def _known(thread_id: int, short_id: str) -> UserFile:
    file = UserFile.objects.filter(thread_id=thread_id, short_id=short_id).first()
    if file is None:
        known = ", ".join(known.id for known in list_files(thread_id)) or "none yet"
        raise ToolFailed(f"There is no file {short_id!r} in this conversation. Valid file ids: {known}.")
    return file


def list_files(thread_id: int) -> list[File]:
    return [part_of(file) for file in UserFile.objects.filter(thread_id=thread_id).order_by("pk")]


@dataclass(frozen=True, slots=True)
class ThreadFiles:
    """What a tool, and a model, sees of a thread's files (contracts.Files, media.Looks)."""

    thread_id: int

    async def read(self, file_id: str) -> tuple[File, bytes]:
        return await patiently(read_file)(self.thread_id, file_id)

    async def look(self, file_id: str) -> bytes:
        return await patiently(look_at)(self.thread_id, file_id)

    async def listing(self) -> Sequence[File]:
        return await patiently(list_files)(self.thread_id)
