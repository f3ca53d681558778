"""Rubbish sent to a bot that is a process of its own: a sentence each, and what it takes of memory."""

import asyncio
import contextlib
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from config.apart_child import MEMORY_BYTES
from telegram_bot.playground import contents
from telegram_bot.playground.people import Person
from tests.crowd.conftest import Stage, stage
from tests.crowd.people import Somebody
from tests.faults.books import at_rest
from tests.faults.report import publish
from tests.flows import books
from tests.input import made
from tests.input.asked import upload

__all__ = ["stage"]

pytestmark = pytest.mark.processes

PERSON = 800_001
MEGABYTE = 2**20
BOT_GROWTH_MAX = (
    150 * MEGABYTE
)  # a file of up to 20 MB is in memory whole, beside what the first messages load
LOOK_SECONDS = 0.02
WORDS = ("ja", "да", "نعم", "是", "はい", "네", "כן", "हाँ", "ใช่", "ναι")
HOSTILE = "../" * 20 + "\u202e" + "a" * 300 + ".txt"

Send = Callable[[Person], Awaitable[Any]]


def file(name: str, body: bytes, kind: str = "document") -> Send:
    return lambda person: person.send_file(upload(name, body), kind=kind)


def empty(kind: str, name: str, **details: Any) -> Send:
    """A file of 0 bytes, which the apps would not send."""

    async def send(person: Person) -> None:
        stored = person._state.files.add(kind, upload(name, b""))
        await person.share({kind: stored.identity() | details})

    return send


# What is sent, and what is read of it in the chat: a sentence of ours, or the model's answer.
RUBBISH: Sequence[tuple[str, Send, str]] = (
    ("a JPEG cut short", file("torn.jpg", made.picture()[:2000]), "torn.jpg is damaged"),
    ("a JPEG cut short, as a photo", file("torn.jpg", made.picture()[:2000], "photo"), "photo.jpg is damaged"),
    ("a PDF with a password", file("a.pdf", made.pdf("x", password="open")), "is locked with a password"),
    ("a DOCX of 300 MB of zeros", file("a.docx", made.packed("word/document.xml", 300_000_000)), "than I can unpack"),
    ("a PNG of 50,000 by 50,000", file("wide.png", made.png_of(50_000, 50_000)), "has too many pixels"),
    ("a name of 300 characters, ../ and RTL", file(HOSTILE, b"words"), "Read"),
    ("an empty voice note", empty("voice", "v.ogg", duration=0, mime_type="audio/ogg"), "record it again"),
    ("a poll in 10 languages", lambda person: person.share(contents.poll("Ja?", list(WORDS))), "Read"),
    ("an empty file", empty("document", "nothing.txt", file_name="nothing.txt"), "nothing.txt is empty"),
    ("bytes of no kind", file("a.bin", b"\0\1\2\3rubbish" * 1000), "Read"),
)  # fmt: skip


@dataclass
class Watch:
    """The most memory the bot's reading processes ever had, each by the kernel's own mark."""

    bot: psutil.Process
    most: int = 0
    seen: int = 0

    async def look(self) -> None:
        known: set[int] = set()
        while True:
            for child in self.bot.children():
                with contextlib.suppress(psutil.Error, OSError):
                    if "config.apart_child" in " ".join(child.cmdline()):
                        self.most = max(self.most, peak(child.pid))
                        known.add(child.pid)
            self.seen = len(known)
            await asyncio.sleep(LOOK_SECONDS)


def peak(process: int) -> int:
    """Bytes of memory a process ever had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) * 1024 if found else 0


@contextlib.asynccontextmanager
async def watching(bot: int) -> AsyncIterator[Watch]:
    watch = Watch(psutil.Process(bot))
    looking = asyncio.create_task(watch.look())
    try:
        yield watch
    finally:
        looking.cancel()


async def test_all_rubbish_gets_its_word_and_stays_within_its_memory(
    stage: Stage, capsys: pytest.CaptureFixture[str]
):
    person = stage.telegram.person(PERSON)
    process = stage.bot.process.pid
    await Somebody(person, 1, random.Random()).choose_claude()
    before = peak(process)
    rows = []
    async with watching(process) as watch:
        for name, send, wanted in RUBBISH:
            began, last = time.monotonic(), person.messages[-1]["message_id"]
            await send(person)
            told = await person.wait_for(
                lambda message, wanted=wanted: wanted in message["text"], 60, after=last
            )
            rows.append(
                {"rubbish": name, "answer": told["text"].split("\n")[0][:60], "s": time.monotonic() - began}
            )
    grown = peak(process) - before
    publish(capsys, "rubbish", "Rubbish, and what the person reads", rows)
    memory = [
        _row("a reading process, most", watch.most, MEMORY_BYTES),
        _row("the bot before", before, None),
        _row("the bot's growth", grown, BOT_GROWTH_MAX),
    ]
    publish(capsys, "rubbish-memory", "What it took of memory", memory)
    assert watch.seen > 0
    assert watch.most < MEMORY_BYTES
    assert grown < BOT_GROWTH_MAX
    assert stage.bots.crashes == []
    assert await at_rest()
    assert await books.mismatches() == []


def _row(what: str, size: int, limit: int | None) -> dict[str, object]:
    most = "" if limit is None else limit // MEGABYTE
    return {"memory": what, "MB": size // MEGABYTE, "limit, MB": most}
