"""Long questions and long answers, whole."""

from pathlib import Path

import pytest

from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Words
from tests.flows import books
from tests.flows.shown import words
from tests.flows.wishes import prefer

CHAPTER = Path(__file__).parent.parent / "data" / "chapter.txt"


async def test_a_pasted_chapter_is_one_turn(starling: Roles, claude: AnthropicStandIn, anna: Person):
    chapter = CHAPTER.read_text()
    assert len(chapter) > 20_000
    claude.say(Words("A fine chapter."))
    await anna.send(chapter)
    await anna.wait_for(lambda message: message["text"] == "A fine chapter.")
    await books.all_done()
    assert len(claude.requests) == 1
    (message,) = claude.requests[0].body["messages"]
    (block,) = message["content"]
    assert block["text"].split() == chapter.split()
    assert len(await books.turns()) == 1


@pytest.mark.parametrize(("rendering", "parts_min"), [("classic", 8), ("auto", 2)])
async def test_a_very_long_answer_arrives_complete(
    starling: Roles, claude: AnthropicStandIn, anna: Person, rendering: str, parts_min: int
):
    await prefer(anna, rendering=rendering)
    answer = long_answer()
    assert len(answer) > 30_000
    claude.say(Words(answer, piece=200))
    await anna.send("Tell me everything")
    await anna.wait_for(lambda message: "THE END" in words(message), seconds=30)
    parts = [words(reply) for reply in anna.replies]
    assert len(parts) >= parts_min
    told = "".join("".join(parts).split())
    for paragraph in WORDS:
        assert told.count("".join(paragraph.split())) == ROUNDS
    assert told.endswith("THEEND")


ROUNDS = 40
WORDS = [
    "The quick brown fox jumps over the lazy dog, again and again, because nobody told it to stop.",
    "عندما يريد العالم أن يتكلّم، فهو يتحدّث بلغة يونيكود.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "👩‍👩‍👧‍👦 family, 🏳️‍🌈 flag, 👍🏽 thumb and 🇺🇦 country",
    "def fox(dog):\n    return dog.jumped_over()",
]


def long_answer() -> str:
    rounds = []
    for number in range(ROUNDS):
        plain, arabic, russian, emoji, code = WORDS
        rounds.append(
            f"## Part {number}\n\n{plain}\n\n- {arabic}\n- {russian}\n\n{emoji}\n\n```python\n{code}\n```\n\n"
            f"| a | b |\n| --- | --- |\n| {number} | {number * number} |\n\n"
            + "Filler sentence of no importance. "
            * 12
        )
    return "\n\n".join(rounds) + "\n\nTHE END"
