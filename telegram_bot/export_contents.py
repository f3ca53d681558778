"""What an export is made of: JSON for machines, pages for people, tables for spreadsheets, files as they are."""

import csv
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import IO, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils import translation

from accounts.models import User
from accounts.preferences import PREFERENCES
from accounts.spreadsheets import cell
from conversations.models import Chat, Message, Thread, UserFile
from conversations.parts import File, Part, Parts, Summary, Text, Thinking, ToolCall, ToolResult
from tools.models import ToolCall as ToolRun

PIECE_BYTES_MAX = 45_000_000  # of content; sendDocument takes 50 MB
NAME_MAX = 80  # characters of a file's own name that are kept
UNSAFE = re.compile(r"[^\w.\- ]|^[.\-]+")  # in a name on a disk that is not ours


class Archive:
    """Zips that each fit one message; `closed` are full, the open one grows. They live in unnamed temporary files."""

    def __init__(self) -> None:
        self.closed: list[IO[bytes]] = []
        self.left_out: list[str] = []
        self._begin()

    def _begin(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed by whoever stores it
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED)
        self._size = 0

    def add(self, name: str, content: bytes) -> None:
        if len(content) > PIECE_BYTES_MAX:
            self.left_out.append(f"{name}: {len(content)} bytes")
            return
        if self._size and self._size + len(content) > PIECE_BYTES_MAX:
            self._close()
            self._begin()
        self._zip.writestr(name, content)
        self._size += len(content)

    def _close(self) -> None:
        self._zip.close()
        self._file.seek(0)
        self.closed.append(self._file)

    def finish(self) -> Sequence[IO[bytes]]:
        """All zips, ready to be read from their beginnings."""
        if self.left_out:
            self.add("left-out.txt", "\n".join(self.left_out).encode())
        self._close()
        return self.closed


def gathered(user: User, language: str) -> Sequence[IO[bytes]]:
    """Everything of one person as zips. The caller closes them."""
    archive = Archive()
    with translation.override(language):
        threads = list(_threads(user))
        payments, operations = list(_payments(user)), list(_operations(user))
        about = {
            "person": _person(user),
            "settings": _settings(user),
            "balance": user.balance,
            "payments": payments,
            "operations": operations,
            "conversations": [_described(thread) for thread in threads],
        }
        archive.add("you.json", _json(about))
        page = {"person": user, "settings": _settings_in_words(user), "threads": threads}
        archive.add("index.html", _page("index", page | {"payments": payments, "operations": operations}))
        archive.add("payments.csv", _table(payments))
        archive.add("operations.csv", _table(operations))
        archive.add("tools.json", _json(list(_tool_runs(user))))
        for thread in threads:
            _add_thread(archive, user, thread)
        for file in _files(user).iterator():
            _add_file(archive, file)
    return archive.finish()


# Who they are ------------------------------------------------------------------------------------


def _person(user: User) -> dict[str, Any]:
    told = ("telegram_id", "username", "first_name", "last_name", "telegram_language", "is_premium")
    return {name: getattr(user, name) for name in (*told, "created_at", "last_seen_at")}


def _settings(user: User) -> dict[str, Any]:
    chosen = {entry.name: getattr(user, entry.name) for entry in PREFERENCES}
    return chosen | {"model": user.model, "instructions": user.instructions}


def _settings_in_words(user: User) -> list[tuple[Any, Any]]:
    return [(entry.title, entry.chosen(user).words) for entry in PREFERENCES]


def _payments(user: User) -> Iterator[dict[str, Any]]:
    names = ("id", "created_at", "paid_at", "state", "stars", "usd", "charge_id", "refund_reason")
    yield from user.payments.order_by("pk").values(*names)


def _operations(user: User) -> Iterator[dict[str, Any]]:
    names = ("id", "created_at", "kind", "amount", "balance_after", "key", "reason", "details")
    yield from user.operations.order_by("pk").values(*names)


def _tool_runs(user: User) -> Iterator[dict[str, Any]]:
    names = ("name", "started_at", "status", "seconds", "cost", "arguments", "result", "files")
    yield from ToolRun.objects.filter(user=user).order_by("started_at").values(*names)


# What they said ----------------------------------------------------------------------------------


def _theirs(user: User) -> Q:
    """Of a private chat all messages; of a group what they said and what was answered them."""
    mine = Q(thread__chat__kind=Chat.Kind.PRIVATE, thread__chat__telegram_id=user.telegram_id)
    return mine | Q(author=user) | Q(turn__user=user)


def _threads(user: User) -> Iterable[Thread]:
    said = Message.objects.filter(_theirs(user)).exclude(role="system")
    return Thread.objects.filter(pk__in=said.values("thread")).select_related("chat").order_by("pk")


def _described(thread: Thread) -> dict[str, Any]:
    return {
        "number": thread.pk,
        "title": thread.title,
        "chat": thread.chat.title if thread.chat.kind != Chat.Kind.PRIVATE else "",
        "topic": thread.topic,
        "created_at": thread.created_at,
    }


def _add_thread(archive: Archive, user: User, thread: Thread) -> None:
    rows = Message.objects.filter(_theirs(user), thread=thread).exclude(role="system").order_by("seq", "pk")
    messages = [
        {
            "at": row.created_at,
            "by": _speaker(row),
            "parts": [said for part in row.parts if (said := _said(part))],
            "cost": row.cost,
            "replaced": row.superseded,
        }
        for row in rows
    ]
    archive.add(f"conversations/{thread.pk}.json", _json(_described(thread) | {"messages": messages}))
    page = {"thread": thread, "messages": messages}
    archive.add(f"conversations/{thread.pk}.html", _page("conversation", page))


def _speaker(row: Message) -> str:
    if row.role == "assistant":
        return "model"
    return "you" if row.author_id is not None else "tool"


def _said(part: Part) -> dict[str, Any] | None:
    """A part without its vendor's luggage, which nobody can read."""
    match part:
        case Text(text):
            return {"kind": "text", "text": text}
        case Thinking(text):
            return {"kind": "thinking", "text": text} if text else None
        case File():
            return {"kind": "file", "id": part.id, "name": part.name, "bytes": part.size}
        case ToolCall():
            return {"kind": "tool_call", "name": part.name, "arguments": part.arguments}
        case Summary(text):
            return {"kind": "summary", "text": text}
        case ToolResult():
            return {"kind": "tool_result", "name": part.name, "text": part.text, "files": _ids(part.files)}
    return None


def _ids(files: Parts | Sequence[File]) -> list[str]:
    return [file.id for file in files if isinstance(file, File)]


def _files(user: User) -> Any:
    mine = Q(thread__chat__kind=Chat.Kind.PRIVATE, thread__chat__telegram_id=user.telegram_id)
    return UserFile.objects.filter(mine | Q(user=user)).distinct().order_by("pk")


def _add_file(archive: Archive, file: UserFile) -> None:
    name = f"files/{file.thread_id}/{file.short_id}-{safe_name(file.name)}"
    try:
        with file.stored.open("rb") as stored:
            archive.add(name, stored.read())
    except FileNotFoundError:
        archive.left_out.append(f"{name}: no longer kept")


def safe_name(name: str) -> str:
    """A file's own name as part of a path: no folders, no leading dots, nothing a disk stumbles over."""
    plain = UNSAFE.sub("_", PurePath(name.replace("\\", "/")).name)
    return plain[-NAME_MAX:] or "file"


# How it is written -------------------------------------------------------------------------------


def _json(value: object) -> bytes:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1).encode(
        "utf-8", "backslashreplace"
    )


def _page(name: str, context: dict[str, Any]) -> bytes:
    return render_to_string(f"export/{name}.html", context).encode("utf-8", "backslashreplace")


def _table(rows: Sequence[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    if rows:
        writer.writerow(rows[0])
        writer.writerows([cell(value) for value in row.values()] for row in rows)
    return text.getvalue().encode("utf-8-sig")  # without the mark, Excel takes it for another alphabet
