"""What people do to a bot under test, and when each thing happened, on one clock (CLOCK_MONOTONIC)."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from telegram_bot.playground.server import Playground
from tests.fakes.anthropic_script import Answer, Block, Hold, Says, Words

FIRST_PERSON = 50_000
TOKENS = 60
TURN_SECONDS_MAX = 60.0


@dataclass
class Turn:
    """The moments of one turn, in seconds."""

    sent: float = 0.0  # the person's message went to the queue
    asked: float = 0.0  # the model was asked
    first: float = 0.0  # the model's first token left
    last: float = 0.0  # the model's last token left
    shown: float = 0.0  # the first visible text reached Telegram
    told: float = 0.0  # the final message reached Telegram


@dataclass
class Stage:
    """Telegram and Claude for one bot: every person's turns, noted as they happen."""

    telegram: Playground
    seconds: float  # how long the model speaks; 0 is at once
    turns: dict[str, Turn] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def script(self, body: Block) -> Answer:
        """Answer with a steady stream between two holds, which tell when its ends were sent."""
        turn = self.turns.get(_asked(body))
        if turn is None:
            return Says((Words("?"),))
        turn.asked = time.monotonic()
        begins, ends = Hold(), Hold()
        for name, hold in (("first", begins), ("last", ends)):
            task = asyncio.get_running_loop().create_task(_note(turn, name, hold))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        words = Words("word " * TOKENS, piece=5)
        return Says((begins, words, ends, Words("end.")), delay=self.seconds / TOKENS)

    async def person(self, number: int, rounds: int, pause: float = 0.0) -> list[Turn]:
        """One person: asks, waits for the whole answer, asks again."""
        person = self.telegram.person(FIRST_PERSON + number)
        done = []
        for count in range(rounds):
            key = f"person {number} round {count} of {id(self)}"
            turn = self.turns[key] = Turn()
            last = person.messages[-1]["message_id"] if person.messages else 0
            turn.sent = time.monotonic()
            await person.send(key)
            await person.wait_for(
                lambda message: message["text"].endswith("end."), TURN_SECONDS_MAX, after=last + 1
            )
            done.append(turn)
            await asyncio.sleep(pause)
        return done

    def note_calls(self, person_number: int, turns: Sequence[Turn]) -> None:
        """Find in Telegram's log when each turn was first seen and when it was told."""
        chat = FIRST_PERSON + person_number
        calls = [call for call in self.telegram.calls if call.chat_id == chat and call.status == 200]
        for turn in turns:
            after = [call for call in calls if call.time >= turn.asked]
            drafts = [
                call.time for call in after if call.method == "sendMessageDraft" and _has_words(call.params)
            ]
            finals = [call.time for call in after if call.method == "sendMessage"]
            turn.told = min(finals, default=0.0)
            turn.shown = min([time for time in drafts if time <= turn.told], default=turn.told)


def _has_words(params: dict[str, object]) -> bool:
    return "word" in str(params.get("text", ""))


async def _note(turn: Turn, name: str, hold: Hold) -> None:
    await hold.reached.wait()
    setattr(turn, name, time.monotonic())
    hold.until.set()


def _asked(body: Block) -> str:
    said = [
        message for message in body["messages"] if message["role"] == "user"
    ]  # behind it may stand a new date
    content = said[-1]["content"]
    return str(content if isinstance(content, str) else content[-1]["text"])


def median_ms(values: Sequence[float]) -> float:
    return 1000 * statistics.median(values) if values else float("nan")
