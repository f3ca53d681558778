"""One round of kills: a turn of somebody's stands still at every named point, then SIGKILL."""

import asyncio
import contextlib
import signal
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

from tests.faults import books
from tests.faults.bots import Bot
from tests.faults.conftest import Stage
from tests.faults.model import answer_to, second_answer_to
from tests.faults.points import Point
from tests.faults.report import percentile

REACH_SECONDS = 40.0
ANSWER_SECONDS = 60.0  # what a person waits at most after a kill
FORMULA_SERVER = "_formula_server.py"


@dataclass
class Tally:
    """What was counted at one point over all rounds."""

    rounds: int = 0
    updates_lost: int = 0
    answers_lost: int = 0
    sentences: int = 0  # told that it did not work, with Retry
    answers_twice: int = 0
    pictures_twice: int = 0
    double_charges: int = 0
    charges_for_nothing: int = 0
    seconds: list[float] = field(default_factory=list)

    def row(self, name: str) -> dict[str, Any]:
        return {
            "point": name,
            "rounds": self.rounds,
            "updates lost": self.updates_lost,
            "answers lost": self.answers_lost,
            "sentences": self.sentences,
            "answers twice": self.answers_twice,
            "pictures twice": self.pictures_twice,
            "double charges": self.double_charges,
            "for nothing": self.charges_for_nothing,
            "s p50": percentile(self.seconds, 0.5),
            "s max": max(self.seconds, default=0.0),
        }


class Round:
    """The people of one round, each at a point of their own."""

    def __init__(self, stage: Stage, bot: Bot, points: Sequence[Point], first_person: int) -> None:
        self.stage, self.bot = stage, bot
        self.people = {point: first_person + number for number, point in enumerate(points)}
        stage.model.points.update({point.key: point for point in points})
        self._sent: defaultdict[int, set[int]] = defaultdict(set)

    async def reach(self) -> None:
        """Bring everybody to their point; those who stop the intake for all come last."""
        ordinary = [point for point in self.people if not (point.tool or point.blocks_intake)]
        await asyncio.gather(*map(self._bring, ordinary))
        tools = [point for point in self.people if point.tool]
        for server in self.bot.children(FORMULA_SERVER) if tools else ():
            server.suspend()
        await asyncio.gather(*map(self._bring, tools))
        for point in self.people:
            if point.blocks_intake:
                await self._bring(point)

    async def _bring(self, point: Point) -> None:
        person = self.people[point]
        stage = self.stage
        if point.commit:
            what, moment = point.commit
            stage.wire.stop(what, person, moment)
        if point.call:
            stage.telegram.hold(point.call[0], person, point.call[1])
        await self._write(person, point.key)
        try:
            async with asyncio.timeout(REACH_SECONDS):
                await self._arrive(point, person)
        except TimeoutError:
            raise AssertionError(f"{point.name} was not reached") from None

    async def _arrive(self, point: Point, person: int) -> None:
        stage = self.stage
        if point.model:
            await stage.model.reached(person)
            if point.model != "asked":
                await stage.model.holds[person].reached.wait()
        if point.tool:
            await stage.person(person).wait_until(lambda: self._label(person), REACH_SECONDS)
        if point.follows:
            await self._write(person, "again")
            await books.waiting(person)
            stage.model.holds[person].until.set()
        if point.commit:
            await stage.wire.reached(point.commit[0], person)
        if point.call:
            await stage.telegram.reached(point.call[0], person)

    def _label(self, person: int) -> dict[str, Any] | None:
        draft = self.stage.person(person).draft
        return draft if draft and "🧮" in draft["text"] else None

    async def _write(self, person: int, words: str) -> None:
        message = await self.stage.person(person).send(f"{words} {person}")
        self._sent[person].add(message["message_id"])

    async def kill(self) -> float:
        """SIGKILL, and everything that was held is let go as it would be; returns when."""
        servers = self.bot.children(FORMULA_SERVER)
        killed = self.bot.kill()
        for server in servers:
            with contextlib.suppress(psutil.NoSuchProcess):
                server.send_signal(signal.SIGKILL)
        self.stage.telegram.drop()
        await self.stage.wire.cut()
        return killed

    async def watch(self, killed: float) -> dict[Point, float | None]:
        """Seconds until each person had their answer or a sentence; None for who never did."""
        waits = [self._told(point, killed) for point in self.people]
        return dict(zip(self.people, await asyncio.gather(*waits), strict=True))

    async def _told(self, point: Point, killed: float) -> float | None:
        person = self.people[point]
        left = ANSWER_SECONDS - (time.monotonic() - killed)
        try:
            await self.stage.person(person).wait_until(lambda: self._is_told(point, person), left)
        except AssertionError:
            return None
        return time.monotonic() - killed

    def _is_told(self, point: Point, person: int) -> dict[str, Any] | None:
        replies = self.stage.person(person).replies
        said = "\n".join(reply.get("text", "") for reply in replies)
        whole = answer_to(person) in said and (not point.follows or second_answer_to(person) in said)
        if whole or any("reply_markup" in reply for reply in replies):
            return replies[-1]
        return None

    async def count(self, tallies: dict[Point, Tally], seconds: dict[Point, float | None]) -> None:
        """Add what happened to everybody to the tallies of their points."""
        accounts = await books.accounts_of(list(self.people.values()))
        for point, person in self.people.items():
            tally, account = tallies[point], accounts[person]
            replies = self.stage.person(person).replies
            texts = [reply.get("text", "") for reply in replies]
            tally.rounds += 1
            waited = seconds[point]
            if waited is None:
                tally.answers_lost += 1
            else:
                tally.seconds.append(waited)
            tally.sentences += any("reply_markup" in reply for reply in replies)
            tally.updates_lost += len(self._sent[person] - account.messages) + account.unhandled
            tally.answers_twice += max(0, sum(answer_to(person) in text for text in texts) - 1)
            tally.answers_twice += max(0, sum(second_answer_to(person) in text for text in texts) - 1)
            tally.pictures_twice += max(0, sum("photo" in reply for reply in replies) - 1)
            tally.double_charges += max(0, account.charges - _calls_of(point))
            tally.charges_for_nothing += account.charges_for_nothing


def _calls_of(point: Point) -> int:
    """The model calls a person asked for: one, another behind the tool, another for a second turn."""
    return 1 + point.draws + (point.follows and not point.draws)
