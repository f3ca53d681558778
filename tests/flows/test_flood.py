"""Telegram bans chats for a while: in them nothing is sent, nothing is lost, and nobody else is kept waiting."""

import asyncio
import time
from dataclasses import dataclass, field

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramRetryAfter
from aiogram.methods import Response, SendMessageDraft, TelegramMethod

from telegram_bot.dispatcher import Roles
from telegram_bot.gate import STRAIN_MAX, Banned, Gate
from telegram_bot.playground.calls import Call
from telegram_bot.playground.members import Member
from telegram_bot.playground.people import Person, Speaker
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Answer, Block, Hold, Says, Words
from tests.faults.report import percentile, publish
from tests.flows import books
from tests.flows.conftest import TOKEN
from tests.flows.shown import words

FIRST_OTHER = 700_000
ELSEWHERE = -1001000000005
PAUSE_SECONDS = 0.2  # between what the others ask
STORY = "word " * 60
END = "The end."


@dataclass
class Storyteller:
    """Claude: long stories, each with its own hold in the middle, and short answers to everybody else."""

    seconds: float  # the second half of a story takes so long
    holds: dict[str, Hold] = field(default_factory=dict)

    def __call__(self, body: Block) -> Answer:
        asked = str(body["messages"][-1]["content"])
        named = next((name for name in self.holds if name in asked), None)
        if named is None:
            return Says((Words("Short. " * 10, piece=7),), delay=0.02)
        rest = END if named == "final" else STORY + END
        delay = self.seconds / (len(rest) / 5)
        return Says(
            (Words("Once upon a time. ", piece=40), self.holds[named], Words(rest, piece=5)), delay=delay
        )


@dataclass
class Ban:
    """One chat that is banned in the middle of its answer."""

    name: str
    teller: Speaker
    hold: Hold
    began: float = 0.0
    told: float = 0.0

    async def tell(self, question: str) -> None:
        """Ask, and wait until what there is of the answer is seen."""
        await self.teller.send(question)
        await self.hold.reached.wait()
        if isinstance(self.teller, Person):
            person = self.teller
            await person.wait_until(
                lambda: person.draft if person.draft and "Once" in person.draft["text"] else None, 30
            )
        else:
            await self.teller.wait_for(lambda message: "Once" in words(message), 30)

    async def wait(self, seconds: float) -> str:
        """The whole answer."""
        whole = await self.teller.wait_for(lambda message: END in words(message), seconds + 60)
        self.told = time.monotonic()
        return words(whole)

    def row(self, telegram: Playground, seconds: float) -> dict[str, object]:
        calls = [call for call in telegram.calls if call.chat_id == self.teller.room.id]
        met = [call for call in calls if call.status == 429]
        return {
            "banned": self.name,
            "s of the ban": seconds,
            "calls that met it": len(met),
            "calls inside it": len(_inside(calls, met[0].time, self.began + seconds)) if met else 0,
            "s to the final text": self.told - self.began,
        }


def _inside(calls: list[Call], begin: float, end: float) -> list[Call]:
    return [call for call in calls if begin < call.time < end]


async def chatter(other: Person, until: float) -> list[float]:
    """Somebody else, who asks one thing after the other; the seconds to each answer."""
    took = []
    while time.monotonic() < until:
        began = time.monotonic()
        sent = await other.send("Hello")
        await other.wait_for(lambda message: "Short." in words(message), 60, after=sent["message_id"])
        took.append(time.monotonic() - began)
        await asyncio.sleep(PAUSE_SECONDS)
    return took


async def chatters(others: list[Person], seconds: float) -> list[float]:
    until = time.monotonic() + seconds
    return [
        one for took in await asyncio.gather(*(chatter(other, until) for other in others)) for one in took
    ]


async def bans(
    telegram: Playground,
    claude: AnthropicStandIn,
    tellers: dict[str, Speaker],
    *,
    seconds: float,
    others: int,
) -> list[dict[str, object]]:
    """Ban three chats at once, each at its moment, while others go on; a row for each."""
    crowd = [telegram.person(FIRST_OTHER + number) for number in range(others)]
    claude.script = script = Storyteller(seconds / 2)
    await chatters(crowd, 0.1)  # warm
    usual = await chatters(crowd, seconds)
    banned = []
    for name, teller in tellers.items():
        script.holds[name] = Hold()
        banned.append(Ban(name, teller, script.holds[name]))
    called = "@starling_bot " if "group" in tellers else ""
    await asyncio.gather(
        *(ban.tell(f"{called if isinstance(ban.teller, Member) else ''}{ban.name} story") for ban in banned)
    )
    for ban in banned:
        telegram.state.limits.flood(ban.teller.room.id, seconds)
        ban.began = time.monotonic()
        ban.hold.until.set()
    meanwhile, *told = await asyncio.gather(
        chatters(crowd, seconds), *(ban.wait(seconds) for ban in banned), *(_commands(ban) for ban in banned)
    )
    assert [text for text in told if text] == [
        f"Once upon a time. {END if ban.name == 'final' else STORY + END}" for ban in banned
    ]
    figures = {
        "others' p95 before (ms)": 1000 * percentile(usual, 0.95),
        "others' p95 meanwhile (ms)": 1000 * percentile(meanwhile, 0.95),
        "ratio": f"{percentile(meanwhile, 0.95) / percentile(usual, 0.95):.2f}",
    }
    return [ban.row(telegram, seconds) | figures for ban in banned]


async def _commands(ban: Ban) -> None:
    """Another way to the same chat: the answer to a command waits as well."""
    if isinstance(ban.teller, Person):
        await ban.teller.send("/help")


def check(rows: list[dict[str, object]], seconds: float) -> None:
    for row in rows:
        assert row["calls that met it"] == 1, row
        assert row["calls inside it"] == 0, row
        assert seconds <= float(str(row["s to the final text"])) < seconds + 15, row


@pytest.fixture
def tellers(anna: Person, boris: Person, anna_there: Member) -> dict[str, Speaker]:
    return {"middle": anna, "final": boris, "group": anna_there}


async def test_inside_a_ban_nothing_is_sent_and_behind_it_the_whole_answer_arrives(
    starling: Roles,
    claude: AnthropicStandIn,
    telegram: Playground,
    tellers: dict[str, Speaker],
    capsys: pytest.CaptureFixture[str],
):
    rows = await bans(telegram, claude, tellers, seconds=3, others=3)
    publish(capsys, "flood-short", "Three chats are banned for 3 s", rows)
    check(rows, 3)
    assert await books.mismatches() == []


@pytest.mark.soak
async def test_a_ban_of_thirty_seconds_keeps_nobody_else_waiting(
    starling: Roles,
    claude: AnthropicStandIn,
    telegram: Playground,
    tellers: dict[str, Speaker],
    capsys: pytest.CaptureFixture[str],
):
    rows = await bans(telegram, claude, tellers, seconds=30, others=10)
    publish(capsys, "flood", "Three chats are banned for 30 s while ten others go on", rows)
    check(rows, 30)
    assert float(str(rows[0]["ratio"])) < 1.5


async def test_after_a_ban_the_next_ten_frames_go_at_half_the_pace(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person
):
    hold = Hold()
    claude.say(Words("First. "), hold, Words("Last."))
    await anna.send("Go")
    await anna.wait_until(lambda: anna.draft if anna.draft and anna.draft["text"] else None)
    telegram.state.limits.flood(anna.id, 2)
    await anna.send("/help")
    await books.eventually(lambda: is_banned(telegram), "the ban is met")
    left = starling.gate.pace(anna.id, 1.0)
    assert 1.0 < left <= 2.0, "the ban's own time, and none of the slow frames"
    await anna.wait_for(lambda message: "/new" in message["text"])
    assert [starling.gate.pace(anna.id, 1.0) for _ in range(11)] == [2.0] * 10 + [1.0]
    hold.until.set()


async def is_banned(telegram: Playground) -> bool:
    return any(call.status == 429 for call in telegram.calls)


async def test_a_guests_message_has_a_ban_of_its_own(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person
):
    club = telegram.group(ELSEWHERE, "Book club", anna, bot="never")
    member = club.member(anna.id)
    hold = Hold()
    claude.say(Words("It is by "), hold, Words("Bulgakov."))
    telegram.state.limits.fail("editMessageText", 429, "Too Many Requests: retry after 2", retry_after=2)
    await member.send("@starling_bot who wrote it?")
    await books.eventually(lambda: is_banned(telegram), "the ban is met")
    hold.until.set()
    await member.wait_for(lambda message: message["text"] == "It is by Bulgakov.")
    edits = [call for call in telegram.calls if call.method == "editMessageText"]
    assert [call.status for call in edits] == [429, 200]
    assert edits[1].time - edits[0].time >= 2


async def test_when_telegram_bans_many_chats_at_once_all_of_them_draw_less_often():
    async def refuse(_bot: Bot, method: TelegramMethod[bool]) -> Response[bool]:
        raise TelegramRetryAfter(method, "Too Many Requests", 5)

    gate, bot = Gate(), Bot(TOKEN)

    async def ban(chats: range) -> None:
        for chat in chats:
            with pytest.raises(Banned):
                await gate(refuse, bot, SendMessageDraft(chat_id=chat, draft_id=1, text="Once upon"))

    for _ in range(50):
        gate._until.clear()  # its time is up
        await ban(range(1, 2))
    assert gate.pace(999, 0.5) == 0.5, "one chat is nobody else's trouble"
    await ban(range(2, 6))
    assert gate.pace(999, 0.5) == 0.5
    await ban(range(6, 21))
    assert gate.pace(999, 0.5) == 2.0
    await ban(range(21, 200))
    assert gate.pace(999, 0.5) == 0.5 * STRAIN_MAX
