"""Many people at once, in private and in groups, with everything people do: nothing lost, doubled or out of order."""

import asyncio
import random
import time

import pytest

from telegram_bot.playground.members import GroupChat
from tests.crowd import books
from tests.crowd.conftest import Stage
from tests.crowd.people import Done, Somebody
from tests.faults.books import at_rest
from tests.faults.report import publish

pytestmark = pytest.mark.processes

FIRST_PERSON = 600_000
FIRST_GROUP = -1_001_000_000_100
SEED = 20261125


async def crowd(
    stage: Stage, *, people: int, groups: int, seats: int, seconds: float, pause: tuple[float, float]
) -> list[Done]:
    """Let so many people live for so many seconds, `seats` of them in each group as well; returns what they did."""
    everybody = [
        Somebody(stage.telegram.person(FIRST_PERSON + number), number, random.Random(SEED + number))
        for number in range(people)
    ]
    await asyncio.gather(*(who.choose_claude() for who in everybody))
    for number in range(groups):
        some = [
            stage.telegram.person(FIRST_PERSON + (number * seats + seat) % people) for seat in range(seats)
        ]
        is_forum = number % 3 == 2  # every third one has topics
        group = stage.telegram.group(
            FIRST_GROUP - number, f"Group {number}", *some, is_forum=is_forum, sees_all=True
        )
        topics = (
            [group.new_topic(some[0].profile, f"Topic {topic}") for topic in range(2)] if is_forum else []
        )
        everybody += _seated(group, number, topics)
    until = time.monotonic() + seconds
    await asyncio.gather(*(who.live(until, pause) for who in everybody))
    return [one for who in everybody for one in who.done]


def _seated(group: GroupChat, number: int, topics: list[int]) -> list[Somebody]:
    places = list(group.room.people)
    return [
        Somebody(
            group.member(person),
            10_000 * (number + 1) + seat,
            random.Random(SEED + 1000 * number + seat),
            topics[seat % len(topics)] if topics else None,
        )
        for seat, person in enumerate(places)
    ]


async def test_a_few_people_and_a_group_for_ten_seconds(stage: Stage, capsys: pytest.CaptureFixture[str]):
    done = await crowd(stage, people=6, groups=1, seats=3, seconds=10, pause=(0.1, 0.5))
    assert await at_rest(60)
    counts = await books.of(stage, done)
    publish(capsys, "crowd-short", "Six people and a group for ten seconds", counts, seed=SEED)
    assert len(done) > 9
    assert books.faults(counts) == {}, await books.details(stage, done)


@pytest.mark.soak
async def test_a_hundred_people_and_three_groups_for_two_minutes(
    stage: Stage, capsys: pytest.CaptureFixture[str]
):
    done = await crowd(stage, people=100, groups=3, seats=10, seconds=120, pause=(2, 12))
    assert await at_rest(300)
    counts = await books.of(stage, done)
    publish(capsys, "crowd-acts", "A hundred people and three groups for two minutes", books.by_kind(done))
    publish(capsys, "crowd", "What became of it", counts, seed=SEED)
    assert books.faults(counts) == {}, await books.details(stage, done)
