"""What Claude says in the fault tests: the same answer to the same person, whoever asks and how often."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.fakes.anthropic_script import Answer, Block, Hold, Says, Thought, Use, Words
from tests.faults.points import Point

FIRST_WORDS = "Here is the formula."
NEVER = 3600.0


def answer_to(person: int) -> str:
    return f"Answer to {person}."


def second_answer_to(person: int) -> str:
    return f"Second answer to {person}."


class Model:
    """A script for the stand-in. A person writes "<point> <their id>"; "again <their id>" is a second question."""

    def __init__(self) -> None:
        self.points: dict[str, Point] = {}  # by the word people write
        self.asked: Counter[int] = Counter()
        self.holds: defaultdict[int, Hold] = defaultdict(Hold)
        self._arrived: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)

    async def reached(self, person: int) -> None:
        """The model stands still for this person."""
        await self._arrived[person].wait()

    def __call__(self, body: Block) -> Answer:
        point, person, again = self._question(body)
        has_result = any(block["type"] == "tool_result" for block in _blocks(body["messages"][-1]))
        self.asked[person] += 1
        drawing = point is not None and point.draws
        if drawing and not has_result and not again:
            use = Use("render_latex", {"latex": f"x_{{{person}}}"}, id=f"toolu_{person}_{self.asked[person]}")
            return Says((Thought("A formula helps."), Words(FIRST_WORDS), use))
        answer = second_answer_to(person) if again else answer_to(person)
        still = "" if point is None or again else point.model
        turn_of = 2 if still == "second" else 1
        if not still or self.asked[person] != turn_of:
            words = answer_to(person) + " " + answer if again and drawing else answer
            return Says((Words(words),))
        self._arrived[person].set()
        if still == "asked":
            return Says((Words(answer),), before=NEVER)
        hold = self.holds[person]
        if still in ("end", "follow"):
            return Says((Words(answer), hold))
        return Says((Words(answer[:8]), hold, Words(answer[8:])))

    def _question(self, body: Block) -> tuple[Point | None, int, bool]:
        """The point, the person, and whether they have asked a second time."""
        point, person, again = None, 0, False
        for key, number in _questions(body):
            person = number
            point = self.points.get(key, point)
            again = again or key == "again"
        return point, person, again


def _questions(body: Block) -> Iterator[tuple[str, int]]:
    """Every "<word> <number>" that the person wrote."""
    for message in body["messages"]:
        for block in _blocks(message) if message["role"] == "user" else ():
            for line in block.get("text", "").splitlines():
                key, _, number = line.partition(" ")
                if number.isdecimal():
                    yield key, int(number)


def _blocks(message: Block) -> list[Block]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
