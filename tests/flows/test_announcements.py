"""What staff announce reaches everybody once: at its pace, around bans, through a restart in the middle."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

from accounts.models import Staff, User
from telegram_bot import announcements
from telegram_bot.dispatcher import Roles
from telegram_bot.models import Announcement, Delivery
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.flows import books
from tests.flows.conftest import running
from tests.people import ANNA, BORIS
from tests.waiting import eventually

FIRST = 5000  # Telegram ids of a crowd


@books.asynchronous
def announce(**fields: str) -> int:
    staff, _ = Staff.objects.get_or_create(username="greta")
    texts = {"text_en": "**News** for you", "text_ru": "**Новости** для вас"}
    row = Announcement.objects.create(made_by=staff, **(texts | fields))
    announcements.confirm(row.pk)
    return row.pk


async def people(*persons: Person) -> None:
    """Persons who have started the bot, and have a row."""
    for person in persons:
        person.room.opened = True
    for person in persons:
        await make(person.id, telegram_language=person.profile.language_code)


@books.asynchronous
def make(*telegram_ids: int, **fields: object) -> None:
    User.objects.bulk_create(User(telegram_id=number, first_name="P", **fields) for number in telegram_ids)


@books.asynchronous
def outcomes(announcement_id: int) -> dict[str, int]:
    counts = announcements.counts(Announcement.objects.get(pk=announcement_id))
    return {state: count for state, count in counts.items() if count}


@books.asynchronous
def state_of(announcement_id: int) -> str:
    return Announcement.objects.get(pk=announcement_id).state


async def done(announcement_id: int) -> None:
    async def is_done() -> bool:
        return await state_of(announcement_id) == "done"

    await eventually(is_done, "the announcement to be done", 30)


def told(telegram: Playground) -> Counter[int]:
    """How many messages each chat got."""
    sent = (call for call in telegram.calls if call.method == "sendMessage" and call.status == 200)
    return Counter(call.chat_id or 0 for call in sent)


async def gather(telegram: Playground, count: int) -> range:
    """A crowd of people who have all started the bot."""
    crowd = range(FIRST, FIRST + count)
    for number in crowd:
        telegram.person(number, first_name="P")
        telegram.state.chats[number].opened = True
    await make(*crowd)
    return crowd


async def test_everybody_is_told_in_their_language(starling: Roles, anna: Person, boris: Person):
    await people(anna, boris)
    number = await announce()
    assert (await anna.wait_for(lambda message: True))["text"] == "News for you"
    assert (await boris.wait_for(lambda message: True))["text"] == "Новости для вас"
    await done(number)
    assert await outcomes(number) == {"sent": 2}


async def test_nobody_is_told_twice_when_the_bot_ends_in_the_middle(
    telegram: Playground, claude: AnthropicStandIn, transactional_db: None
):
    crowd = await gather(telegram, 40)
    number = await announce()
    async with running():
        await eventually(lambda: some(telegram, 15), "fifteen messages")
    assert len(told(telegram)) < len(crowd)
    async with running():
        await done(number)
    assert told(telegram) == dict.fromkeys(crowd, 1)
    assert await outcomes(number) == {"sent": len(crowd)}


async def some(telegram: Playground, count: int) -> bool:
    return len(told(telegram)) >= count


async def test_no_second_sees_more_than_25_messages(starling: Roles, telegram: Playground):
    await gather(telegram, 40)
    await done(await announce())
    times = [call.time for call in telegram.calls if call.method == "sendMessage"]
    assert len(times) == 40
    for begin in times:
        assert (
            sum(begin <= at < begin + 1 for at in times) <= announcements.PER_SECOND + 1
        )  # the edges of a second


async def test_what_a_dead_process_had_in_hand_is_not_tried_again(
    starling: Roles, telegram: Playground, anna
):
    await people(anna)
    number = await begin_and_die()
    await done(number)
    assert await outcomes(number) == {"unknown": 1}
    assert not told(telegram)


@books.asynchronous
def begin_and_die() -> int:
    """As a process leaves a row that was killed between its claim and Telegram's answer."""
    staff = Staff.objects.create(username="greta")
    row = Announcement.objects.create(made_by=staff, text_en="News", text_ru="Новости", state="sending")
    anna = User.objects.get(telegram_id=ANNA)
    Delivery.objects.create(
        announcement=row, user=anna, state="claimed", claimed_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    return row.pk


async def test_who_blocked_the_bot_is_unreachable_from_now_on(
    starling: Roles, telegram: Playground, anna: Person
):
    await people(anna)
    await anna.block()
    await eventually(lambda: is_unreachable(ANNA), "the block to be known")
    await reset()
    number = await announce()
    await done(number)
    assert await outcomes(number) == {"unreachable": 1}
    assert await is_unreachable(ANNA)


@books.asynchronous
def is_unreachable(telegram_id: int) -> bool:
    return User.objects.get(telegram_id=telegram_id).unreachable_at is not None


@books.asynchronous
def reset() -> None:
    User.objects.update(unreachable_at=None)


async def test_a_ban_is_waited_out_and_everybody_is_still_told_once(
    starling: Roles, telegram: Playground, anna: Person, boris: Person
):
    await people(anna, boris)
    telegram.state.limits.flood(ANNA, 1)
    number = await announce()
    await done(number)
    assert told(telegram) == {ANNA: 1, BORIS: 1}


async def test_paused_it_stops_and_resumed_it_goes_on(starling: Roles, telegram: Playground):
    crowd = await gather(telegram, 40)
    number = await announce()
    await eventually(lambda: some(telegram, 5), "five messages")
    assert await books.asynchronous(announcements.pause)(number)
    await starling.announcer.drain(5)
    paused = sum(told(telegram).values())
    assert await state_of(number) == "paused"
    assert paused < len(crowd)
    await asyncio.gather(*[books.asynchronous(announcements.resume)(number) for _ in range(3)])
    await done(number)
    assert told(telegram) == dict.fromkeys(crowd, 1)


async def test_confirmed_twice_it_is_sent_once(starling: Roles, telegram: Playground, anna: Person):
    await people(anna)
    number = await announce()
    assert await books.asynchronous(announcements.confirm)(number) == 0
    await done(number)
    assert told(telegram) == {ANNA: 1}


async def test_the_preview_goes_to_who_asked_and_to_nobody_else(
    starling: Roles, telegram: Playground, anna: Person, boris: Person
):
    await people(anna, boris)
    await draft_shown_to(ANNA)
    await anna.wait_for(lambda message: message["text"] == "News for you")
    await anna.wait_for(lambda message: message["text"] == "Новости для вас")
    assert set(told(telegram)) == {ANNA}


@books.asynchronous
def draft_shown_to(telegram_id: int) -> None:
    person = User.objects.get(telegram_id=telegram_id)
    staff = Staff.objects.create(username="linked", person=person)
    row = Announcement.objects.create(
        made_by=staff, text_en="**News** for you", text_ru="**Новости** для вас"
    )
    assert announcements.ask_for_preview(row.pk, staff)
