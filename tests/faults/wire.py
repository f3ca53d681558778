"""A wire between the bot and its PostgreSQL that a test can hold still, or cut, at a named commit.

Triggers in the test's database announce what a transaction has done as a notice on that very
connection. The wire reads it and then stops the COMMIT on its way there, or the answer on its way back.
"""

import asyncio
import contextlib
import struct
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator
from enum import Enum
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, quote, urlsplit

import psycopg

COMMIT = b"COMMIT\0"
IDLE = b"I"  # ReadyForQuery: in no transaction
SOCKET = ".s.PGSQL.5432"
# Not in a transaction of several statements: this one is its own BEGIN and COMMIT.
STORES = b"INSERT INTO telegram_bot_update"

# What each transaction of a turn leaves behind, and whose turn it is.
TRIGGERS = """
    CREATE FUNCTION faults_announce() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE person bigint;
    BEGIN
        IF TG_TABLE_NAME = 'telegram_bot_update' THEN
            person := NEW.lane;
        ELSIF TG_TABLE_NAME IN ('conversations_turn', 'billing_payment') THEN
            SELECT telegram_id INTO person FROM accounts_user WHERE id = NEW.user_id;
        ELSIF TG_TABLE_NAME = 'accounts_user' THEN
            person := OLD.telegram_id;
        ELSE
            SELECT telegram_id INTO person FROM conversations_chat WHERE id = NEW.chat_id;
        END IF;
        RAISE NOTICE 'at:%:%', TG_ARGV[0], person;
        RETURN NULL;
    END $$;
    CREATE TRIGGER faults_stored AFTER INSERT ON telegram_bot_update
        FOR EACH ROW EXECUTE FUNCTION faults_announce('stored');
    CREATE TRIGGER faults_claimed AFTER INSERT ON conversations_turn
        FOR EACH ROW EXECUTE FUNCTION faults_announce('claimed');
    CREATE TRIGGER faults_said AFTER INSERT ON conversations_message
        FOR EACH ROW WHEN (NEW.role = 'assistant') EXECUTE FUNCTION faults_announce('said');
    CREATE TRIGGER faults_result AFTER INSERT ON conversations_message
        FOR EACH ROW WHEN (NEW.role = 'user' AND NEW.seq IS NOT NULL AND NEW.telegram_id IS NULL)
        EXECUTE FUNCTION faults_announce('result');
    CREATE TRIGGER faults_sent AFTER UPDATE OF sent ON conversations_turn
        FOR EACH ROW WHEN (NEW.state = 'running') EXECUTE FUNCTION faults_announce('sent');
    CREATE TRIGGER faults_finished AFTER UPDATE OF state ON conversations_turn
        FOR EACH ROW WHEN (NEW.state <> 'running') EXECUTE FUNCTION faults_announce('finished');
    CREATE TRIGGER faults_paid AFTER INSERT OR UPDATE OF state ON billing_payment
        FOR EACH ROW WHEN (NEW.state = 'paid') EXECUTE FUNCTION faults_announce('paid');
    CREATE TRIGGER faults_debited AFTER UPDATE OF state ON billing_payment
        FOR EACH ROW WHEN (NEW.state = 'refund_debited') EXECUTE FUNCTION faults_announce('debited');
    CREATE TRIGGER faults_erased AFTER UPDATE OF telegram_id ON accounts_user
        FOR EACH ROW WHEN (OLD.telegram_id IS NOT NULL AND NEW.telegram_id IS NULL)
        EXECUTE FUNCTION faults_announce('erased');
"""
NO_TRIGGERS = "DROP FUNCTION IF EXISTS faults_announce() CASCADE"


class Moment(Enum):
    """Where in a commit the wire stands still."""

    BEFORE = "PostgreSQL never hears the COMMIT"
    AFTER = "committed, and the bot never hears of it"
    CUT = "committed, and the connection breaks before the bot hears of it"


class Wire:
    """Every connection of the bot with PostgreSQL, through one socket of the test's."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url
        self.url = ""  # what the bot is given instead
        self.points: dict[str, Moment] = {}  # "said:1001" → where to stop, once
        self._reached: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._released: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._links: set[asyncio.Task[None]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, database_url: str) -> AsyncIterator[Self]:
        wire = cls(database_url)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(NO_TRIGGERS)
            connection.execute(TRIGGERS)
        with tempfile.TemporaryDirectory(prefix="wire-") as folder:
            split = urlsplit(database_url)
            who = f"{quote(split.username or '')}:{quote(split.password or '')}"
            wire.url = f"postgres://{who}@{split.path}?host={folder}"
            server = await asyncio.start_unix_server(wire._link, Path(folder) / SOCKET)
            try:
                yield wire
            finally:
                server.close()
                await wire.cut()
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(NO_TRIGGERS)

    def stop(self, what: str, person: int, moment: Moment) -> None:
        """Stand still at this person's next transaction of this kind."""
        self.points[f"{what}:{person}"] = moment

    async def reached(self, what: str, person: int) -> None:
        await self._reached[f"{what}:{person}"].wait()

    def release(self, what: str, person: int) -> None:
        """Let go on what stands still there."""
        self._released[f"{what}:{person}"].set()

    async def cut(self) -> None:
        """Every connection breaks: what was not committed never was."""
        self.points.clear()
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    def arrive(self, at: str) -> None:
        """A transaction is where it was to be stopped; the next one is not."""
        del self.points[at]
        self._reached[at].set()

    async def go_on(self, at: str) -> None:
        await self._released[at].wait()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            with contextlib.suppress(ConnectionError, OSError, asyncio.IncompleteReadError):
                await self._carry(reader, writer)
        finally:
            self._links.discard(task)
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, onward = await self._dial()
        link = _Link(self)
        try:
            length = await reader.readexactly(4)  # the first message has no kind
            onward.write(length + await reader.readexactly(_length(length)))
            there = asyncio.create_task(link.there(reader, onward))
            back = asyncio.create_task(link.back(upstream, writer))
            try:
                await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                there.cancel()
                back.cancel()
                await asyncio.gather(there, back, return_exceptions=True)
        finally:
            onward.close()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        split = urlsplit(self.database_url)
        folder = parse_qs(split.query).get("host", [""])[0]
        if folder:
            return await asyncio.open_unix_connection(Path(folder) / SOCKET)
        return await asyncio.open_connection(split.hostname, split.port or 5432)


class _Link:
    """One connection: what its transaction has announced so far."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._done: set[str] = set()
        self._storing: set[bytes] = set()  # names of prepared statements that store updates

    async def there(self, reader: asyncio.StreamReader, onward: asyncio.StreamWriter) -> None:
        while True:
            kind, message, body = await _message(reader)
            stores = self._stores_updates(kind, body)
            if stores:
                told = (at for at in self._wire.points if at.startswith("stored:"))
                self._done |= {at for at in told if at.removeprefix("stored:").encode() in body}
            if (stores or (kind == b"Q" and body == COMMIT)) and (at := self._point(Moment.BEFORE)):
                await self._stand_still(at)
            onward.write(message)
            await onward.drain()

    async def back(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            kind, message, body = await _message(upstream)
            if kind == b"N" and (said := _words(body)).startswith("at:"):
                self._done.add(said.removeprefix("at:"))
                continue
            if kind == b"E" or (kind == b"C" and body == b"ROLLBACK\0"):
                self._done.clear()
            if kind == b"Z" and body == IDLE and self._done:
                if at := self._point(Moment.CUT):
                    self._wire.arrive(at)
                    return
                if at := self._point(Moment.AFTER):
                    await self._stand_still(at)
                self._done.clear()
            writer.write(message)
            await writer.drain()

    def _stores_updates(self, kind: bytes, body: bytes) -> bool:
        """Is this the message that carries updates into the table: a query, or the values of a prepared one?"""
        name, _, rest = body.partition(b"\0")
        if kind == b"P":
            (self._storing.add if STORES in rest else self._storing.discard)(name)
        if kind == b"B":
            return rest.partition(b"\0")[0] in self._storing
        return kind == b"Q" and STORES in body

    def _point(self, moment: Moment) -> str:
        return next((at for at in self._done if self._wire.points.get(at) == moment), "")

    async def _stand_still(self, at: str) -> None:
        self._wire.arrive(at)
        await self._wire.go_on(at)


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes, bytes]:
    head = await reader.readexactly(5)
    body = await reader.readexactly(_length(head[1:]))
    return head[:1], head + body, body


def _length(field: bytes) -> int:
    return int(struct.unpack("!I", field)[0]) - 4


def _words(notice: bytes) -> str:
    """The text of a NoticeResponse: its field M."""
    fields = notice.split(b"\0")
    return next((field[1:].decode() for field in fields if field[:1] == b"M"), "")
