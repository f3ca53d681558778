"""docs/walk.md is true: the functions it names are called, in its order, by a real turn."""

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from config.aio import close_threads
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Use, Words
from tests.flows import books
from tests.flows.conftest import anna, claude, running, telegram  # noqa: F401  the same bot

ROOT = Path(__file__).resolve().parents[2]
WALK = ROOT / "docs" / "walk.md"
STEP = re.compile(r"^\d+\. (?:▣ )?`([\w/]+\.py): (\w+)`", re.MULTILINE)
NAMED = re.compile(r"`([\w/]+\.py): (\w+)`")


async def test_a_real_turn_takes_the_walk_step_by_step(
    claude: AnthropicStandIn,  # noqa: F811
    anna: Person,  # noqa: F811
    transactional_db: None,
):
    walk = STEP.findall(WALK.read_text())
    claude.say(Use("render_latex", {"latex": "x"}))
    claude.say(Words("Done."))
    close_threads()  # the listener hears only threads that begin after it
    with listening(set(walk)) as first_calls:
        async with running():
            await anna.send("Show me x")
            await anna.wait_for(lambda message: message.get("text") == "Done.", seconds=60)
            await books.all_done()
    assert list(first_calls) == walk


def test_every_function_the_page_names_exists():
    for file, function in NAMED.findall(WALK.read_text()):
        source = (ROOT / file).read_text()
        assert re.search(rf"def {function}\(", source), f"{file} has no {function}"


@contextmanager
def listening(wanted: set[tuple[str, str]]) -> Iterator[dict[tuple[str, str], None]]:
    """Notes the first call of each wanted function, on every thread, in order."""
    places = {(str(ROOT / file), function): (file, function) for file, function in wanted}
    met: dict[tuple[str, str], None] = {}

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            place = places.get((frame.f_code.co_filename, frame.f_code.co_name))
            if place is not None:
                met.setdefault(place)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield met
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
