"""People who go on writing while things are killed."""

import asyncio
import itertools
import re
import time
from dataclasses import dataclass, field

from telegram_bot.playground.server import Playground
from tests.fakes.anthropic_script import Answer, Block, Says, Use, Words

QUESTIONS = 5  # of one person; then another one comes, with an empty history
ANSWER_SECONDS_MAX = 240.0  # two workers' leases, a bot's, and recovery every half minute; then it is lost


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
    ended_alone: list[str] = field(default_factory=list)  # processes that nobody had killed
    unanswered: list[str] = field(default_factory=list)
    good: set[str] = field(default_factory=set)  # call ids of recorded events
    bad: set[str] = field(default_factory=set)


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
        self.phase = self.before = Phase("nothing", 0)
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
