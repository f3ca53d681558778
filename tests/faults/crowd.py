"""People who go on writing while things are killed, and events that go on coming, good and bad."""

import asyncio
import itertools
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

import redis as redis_client
from celery import Celery
from kombu.exceptions import OperationalError

from conversations import write_behind
from conversations.events import Event, malformed_id
from telegram_bot.playground.server import Playground
from tests.conversations.test_write_behind import POISON
from tests.conversations.test_write_behind_processes import payload
from tests.fakes.anthropic_script import Answer, Block, Says, Use, Words

QUESTIONS = 5  # of one person; then another one comes, with an empty history
ANSWER_SECONDS_MAX = 240.0  # two workers' leases, a bot's, and recovery every half minute; then it is lost
EVENT_EVERY_SECONDS = 0.02
BAD_EVERY = 40  # events
FLUSH_EVERY_SECONDS = 0.3  # beat asks every five seconds: asked more often, more kills meet a flush


@dataclass
class Phase:
    """What went on while one thing was killed again and again."""

    name: str
    first_person: int
    kills: int = 0
    over_work: int = 0  # kills that met what they were to meet: a flush, a run, a turn
    back: list[float] = field(default_factory=list)  # seconds from each kill to the next answer
    asked: int = 0
    answered: int = 0
    told: int = 0  # that it did not work, with Retry
    unanswered: list[str] = field(default_factory=list)
    good: set[str] = field(default_factory=set)  # call ids of events that Redis acknowledged
    bad: set[UUID] = field(default_factory=set)
    unsure: set[UUID] = field(default_factory=set)  # bad, and Redis died over them


class Counting:
    """Claude's script: a question is counted here and there, and the results are answered."""

    def __init__(self) -> None:
        self._asked = itertools.count()

    def __call__(self, body: Block) -> Answer:
        number = re.findall(r"count (\d+)", str([m for m in body["messages"] if m["role"] == "user"]))[-1]
        last = next(m for m in reversed(body["messages"]) if m["role"] == "user")
        content = last["content"] if isinstance(last["content"], list) else []
        if any(block["type"] == "tool_result" for block in content):
            return Says((Words(f"Done {number}."),))
        uses = (self._use(place, number) for place in ("here", "there"))
        return Says((Words("Counting."), *uses))

    def _use(self, place: str, number: str) -> Use:
        name = f"count_{place}"
        return Use(name, {"number": int(number)}, id=f"toolu_{number}_{place}_{next(self._asked)}")


class People:
    """So many people side by side, each asking as soon as they were answered."""

    def __init__(self, telegram: Playground) -> None:
        self._telegram = telegram
        self.phase = Phase("nobody", 0)
        self.phase_of: dict[str, Phase] = {}  # by the number of the question
        self.over = False
        self.answered_at = [time.monotonic()]
        self._numbers = itertools.count(1)

    async def ask_on(self) -> None:
        while not self.over:
            phase = self.phase
            person = self._telegram.person(phase.first_person + next(self._numbers))
            for _ in range(QUESTIONS):
                if self.over or phase is not self.phase:
                    break
                await self._ask(person, phase)

    async def _ask(self, person, phase: Phase) -> None:
        number = str(next(self._numbers))
        self.phase_of[number] = phase
        last = max((message["message_id"] for message in person.messages), default=0)
        await person.send(f"count {number}")
        phase.asked += 1
        done = f"Done {number}."
        try:
            reply = await person.wait_for(
                lambda message: done in message.get("text", "") or "reply_markup" in message,
                ANSWER_SECONDS_MAX,
                after=last,
            )
        except AssertionError as story:
            phase.unanswered.append(str(story))
            return
        phase.answered += done in reply["text"]
        phase.told += done not in reply["text"]
        self.answered_at.append(time.monotonic())

    async def answered_since(self, moment: float, seconds: float = ANSWER_SECONDS_MAX) -> float:
        """When the first answer behind a moment came."""
        deadline = time.monotonic() + seconds
        while self.answered_at[-1] <= moment:
            assert time.monotonic() < deadline, f"nobody was answered for {seconds:.0f} s"
            await asyncio.sleep(0.05)
        return next(at for at in self.answered_at if at > moment)


class Events(threading.Thread):
    """Records events, one in BAD_EVERY of them bad, and asks for flushes as beat does."""

    def __init__(self, redis_url: str, user_id: int) -> None:
        super().__init__(daemon=True)
        self._redis = redis_client.Redis.from_url(redis_url, socket_timeout=5)
        broker = redis_url.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
        self._celery = Celery("beat", broker=broker, set_as_current=False)
        self._user_id = user_id
        self.phase: Phase | None = None
        self.over = threading.Event()

    def run(self) -> None:
        flush_at = 0.0
        for number, bad in self._numbered():
            if self.over.is_set():
                break
            if self.phase is not None:
                self._record(self.phase, number, bad)
            if time.monotonic() > flush_at:
                with suppress(OperationalError, redis_client.RedisError):
                    self._celery.send_task("conversations.tasks.flush_events", expires=5, retry=False)
                flush_at = time.monotonic() + FLUSH_EVERY_SECONDS
            time.sleep(EVENT_EVERY_SECONDS)
        self._celery.close()
        self._redis.close()

    @staticmethod
    def _numbered() -> Iterator[tuple[int, str]]:
        kinds = itertools.cycle([*POISON, "no JSON"])
        for number in itertools.count():
            yield number, next(kinds) if number % BAD_EVERY == BAD_EVERY - 1 else ""

    def _record(self, phase: Phase, number: int, bad: str) -> None:
        body = payload(self._user_id, number) | POISON.get(bad, {})
        event = Event("tool_call", body)
        fields = event.encode() | ({"payload": "{"} if bad == "no JSON" else {})
        try:
            entry = self._redis.xadd(write_behind.STREAM, fields)
        except redis_client.RedisError:
            phase.unsure |= {event.id} if bad else set()
            return
        if bad:
            phase.bad.add(malformed_id(entry) if bad == "no JSON" else event.id)
        else:
            phase.good.add(body["call_id"])

    def waiting(self) -> int:
        """Events in the stream now; more than one may know while Redis is away."""
        try:
            return int(self._redis.xlen(write_behind.STREAM))
        except redis_client.RedisError:
            return 1

    def end(self) -> None:
        self.over.set()
        self.join()
