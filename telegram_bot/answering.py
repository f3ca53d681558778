"""Answers under way in this process: begun, stopped, taken over after a crash, brought to the person."""

import asyncio
import contextlib
import math
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from functools import partial

import structlog
from aiogram import Bot
from aiogram.types import InlineKeyboardMarkup

from accounts.services import language_of, set_unreachable
from config.aio import in_db
from config.patience import patiently
from conversations import leases, turns
from conversations.again import retry_lane, retry_turn
from conversations.erasing import stop_all_of
from conversations.errors import BeingTold, LeaseLost
from conversations.files import ThreadFiles
from conversations.groups import question_of, request_stop_of, set_thread_dead
from conversations.loop import Failed, SummedUp, SummingUp, TurnEvent, replay, run_turn
from conversations.models import Turn
from conversations.threads import set_chat_dead
from conversations.turns import Claim
from telegram_bot import keyboards, services
from telegram_bot.draft import Draft
from telegram_bot.endings import words_below
from telegram_bot.gate import Gate
from telegram_bot.growing import GroupDestination, Growth
from telegram_bot.guests import NOWHERE, REST, GuestDestination
from telegram_bot.intake import Inbound
from telegram_bot.keyboards import CopyPress
from telegram_bot.latch import RichLatch
from telegram_bot.naming import Names
from telegram_bot.outgoing import Destination, PlaceGone, Unreachable, Words
from telegram_bot.private_words import privately
from telegram_bot.rendering import Wish
from telegram_bot.rendering.composing import Rich
from telegram_bot.services import Desk, Said
from telegram_bot.texts import say

log = structlog.get_logger(__name__)

RENEW_SECONDS = 10.0
RECOVER_SECONDS = 30.0
DOORS = 4  # bursts taken in side by side: more would share one interpreter, and all be late instead of some
TOLD_SECONDS_MAX = 10.0  # how long a retry waits for the end of what it retries to be noted
TOLD_LOOK_SECONDS = 0.1
DRAFT_NUMBERS = 2**31 - 1  # a draft id is a positive 32-bit number
WISHES: dict[str, Wish] = {"auto": "auto", "classic": "classic", "rich": "rich"}

# In a group these are between the bot and who asked.
ABOUT_MONEY = frozenset({"no_funds", "used_up", "too_dear", "long", "spending_blocked", "daily_cap"})


def new_owner() -> str:
    """This process's name on its leases; a restart is somebody else."""
    return secrets.token_hex(8)


class Answers:
    """The turns this process owns. Its tasks are only the work; what was promised stands in the rows."""

    def __init__(self, bot: Bot, gate: Gate, desk: Desk, names: Names) -> None:
        self._bot, self._gate, self._desk, self._names = bot, gate, desk, names
        self._latch = RichLatch()
        self._tasks: dict[int, asyncio.Task[None]] = {}  # thread → its answering
        self._streams: dict[int, asyncio.Task[str]] = {}  # turns that are ours → what Stop cancels
        self._until: dict[int, float] = {}  # the same turns → time.monotonic() their leases are good until
        self._renewing = asyncio.Lock()
        self._doors = asyncio.Semaphore(DOORS)

    async def receive(self, inbounds: Sequence[Inbound], update_ids: Sequence[int]) -> None:
        """Store a burst and, unless a turn of its thread is running already, begin to answer it."""
        async with self._doors:
            taken = await patiently(services.take_in)(inbounds, update_ids, self._desk)
        match taken:
            case Claim():
                self.begin(taken)
            case Said(sentence, language, context):
                to = Destination(self._bot, inbounds[0].chat_id, inbounds[0].topic)
                with contextlib.suppress(Unreachable):
                    await to.say(say(sentence, language, **context))

    async def receive_edit(self, inbound: Inbound, update_id: int) -> None:
        """Take in a changed message; when it was the last question, answer it anew, below."""
        claim = await in_db(services.take_edit)(inbound, update_id, self._desk)
        if claim is not None:
            self.begin(claim)

    def begin(self, claim: Claim) -> None:
        thread = claim.turn.thread_id
        task = asyncio.create_task(self._answer_all(claim))
        self._tasks[thread] = task
        task.add_done_callback(lambda done: self._forget(thread, done))

    def _forget(self, thread: int, task: asyncio.Task[None]) -> None:
        if self._tasks.get(thread) is task:
            del self._tasks[thread]
        if not task.cancelled() and (error := task.exception()):
            log.error("answer.lost", thread=thread, exc_info=error)  # recovery takes the turn up

    async def _answer_all(self, claim: Claim | None) -> None:
        """Answer one turn, then whatever was written meanwhile."""
        while claim is not None:
            thread = claim.turn.thread_id
            try:
                waiting = await self._answer(claim)
            except LeaseLost:
                log.warning("turn.lease_lost", turn=claim.turn.pk)
                return
            claim = None
            if waiting:
                claim = await patiently(turns.claim_next)(
                    thread, owner=self._desk.owner, models=self._desk.models
                )

    async def _answer(self, claim: Claim) -> bool:
        """Bring one turn to its end and tell the person. True when more is waiting. Raises LeaseLost."""
        turn, began = claim.turn, time.monotonic()
        to = await self._destination(claim)
        draft = self._draft(claim, to)
        for event in replay(claim.rows):
            _show(draft, event, language_of(turn.user), in_public=_in_public(to))
        stream = asyncio.create_task(self._follow(claim, draft, in_public=_in_public(to)))
        # Ours until its end is written down, or recovery would take it up beside us.
        self._streams[turn.pk], self._until[turn.pk] = stream, claim.until
        try:
            await asyncio.wait({stream})
            failure, sent = await self._tell(claim, to, draft, stream)
            waiting = await patiently(turns.finish_turn)(turn.pk, owner=self._desk.owner, sent=sent)
        finally:
            draft.abandon()
            stream.cancel()
            if self._streams.get(turn.pk) is stream:
                self._let_go(turn.pk)
        if not failure and not turn.thread.title:
            self._names.due(turn.thread_id)
        log.info(
            "turn.ended",
            turn=turn.pk,
            model=turn.model,
            failure=failure,
            seconds=round(time.monotonic() - began, 3),
        )
        return waiting

    async def _tell(
        self, claim: Claim, to: Destination, draft: Draft, stream: "asyncio.Task[str]"
    ) -> tuple[str, list[list[int]]]:
        """Send what is left of an answer and the sentence below it; its failure, and the messages by unit."""
        try:
            failure = await self._outcome(claim, stream)
            stopped = stream.cancelled() or claim.turn.stop_requested
            nothing = ("stopped" if stopped else "empty") if draft.is_empty else ""
            words = await words_below(claim.turn, failure, nothing=nothing, in_public=_in_public(to))
            if isinstance(to, GuestDestination) and failure in ABOUT_MONEY:
                words = Words(say("in_private", language_of(claim.turn.user)), to.rest)
            if not isinstance(to, GroupDestination):
                return failure, await draft.finish(words)
            among_us = words is not None and failure in ABOUT_MONEY
            sent = await draft.finish(None if among_us else words)
            await to.tidy()
            if words is not None and among_us and claim.turn.user.telegram_id is not None:
                await privately(to, claim.turn.user.telegram_id, words, language_of(claim.turn.user))
            return failure, sent
        except Unreachable as gone:
            await self._mark_unreachable(claim, gone)
            return "unreachable", draft.sent

    async def _destination(self, claim: Claim) -> Destination:
        """Where the answer goes, and so how it grows there."""
        turn, chat = claim.turn, claim.turn.thread.chat
        if turn.guest_message:
            return await self._as_guest(turn)
        if chat.kind == "private":
            return Destination(self._bot, chat.telegram_id, turn.thread.topic, self._latch)

        async def note(message: int) -> None:
            await patiently(leases.note)(turn.pk, owner=self._desk.owner, growing=message)

        delivered = {number for unit in turn.sent for number in unit}
        growing = None if turn.growing in delivered else turn.growing
        is_begun = turn.sent or growing is not None
        question = None if is_begun else await patiently(question_of)(turn)
        keyboard = keyboards.stop(turn.pk, say("stop", language_of(turn.user)))
        growth = Growth(growing, note, question, keyboard)
        return GroupDestination(self._bot, chat.telegram_id, turn.thread.topic, self._latch, growth=growth)

    async def _as_guest(self, turn: Turn) -> GuestDestination:
        language = language_of(turn.user)
        me = await self._bot.me()
        link = f"https://t.me/{me.username}?start={REST}{turn.pk}"
        rest = keyboards.link(say("guest_rest", language), link)
        return GuestDestination(self._bot, NOWHERE, inline=turn.guest_message, rest=rest)

    def _draft(self, claim: Claim, to: Destination) -> Draft:
        turn, owner = claim.turn, self._desk.owner
        files = ThreadFiles(turn.thread_id)

        async def keep(sent: list[list[int]]) -> None:
            if isinstance(to, GuestDestination):
                return
            await patiently(leases.note)(turn.pk, owner=owner, sent=sent)

        async def ours() -> None:
            await self._make_sure(turn.pk)

        def below(said: int, part: int, rich: Rich) -> InlineKeyboardMarkup:
            press = CopyPress(turn=turn.pk, said=said, part=part)
            return keyboards.copy_as_text(press, rich.source, say("copy", language_of(turn.user)))

        return Draft(
            to,
            self._gate,
            number=turn.pk % DRAFT_NUMBERS + 1,
            live=claim.step is not None and turn.user.live_drafts,
            wish=WISHES[turn.user.rendering],
            # A guest's one message is written anew as a whole, so nothing of it is ever passed over.
            sent=[] if isinstance(to, GuestDestination) else turn.sent,
            read=files.read,
            keep=keep,
            ours=ours,
            below=below,
        )

    async def _follow(self, claim: Claim, draft: Draft, *, in_public: bool) -> str:
        """Show a turn's events as they come; returns its failure, or nothing. Stop cancels this."""
        failure = claim.turn.failure
        language = language_of(claim.turn.user)
        async with aclosing(run_turn(claim.step, self._desk.tools, language)) as events:
            async for event in events:
                if isinstance(event, Failed):
                    failure = event.key
                else:
                    _show(draft, event, language, in_public=in_public)
        return failure

    async def _outcome(self, claim: Claim, stream: "asyncio.Task[str]") -> str:
        """The failure's key, or nothing; a crash of ours becomes a sentence too."""
        if stream.cancelled():
            return ""
        try:
            return stream.result()
        except (LeaseLost, Unreachable):
            raise
        except Exception:
            log.exception("turn.crashed", turn=claim.turn.pk)
            await patiently(leases.note)(claim.turn.pk, owner=self._desk.owner, failure="crashed")
            return "crashed"

    async def _mark_unreachable(self, claim: Claim, gone: Unreachable) -> None:
        log.info("chat.unreachable", turn=claim.turn.pk, reason=str(gone))
        chat = claim.turn.thread.chat
        if isinstance(gone, PlaceGone):
            await patiently(set_thread_dead)(claim.turn.thread_id)
        else:
            await patiently(set_chat_dead)(chat.pk)
            if chat.kind == "private":
                await patiently(set_unreachable)(claim.turn.user_id)
        await patiently(leases.note)(claim.turn.pk, owner=self._desk.owner, failure="unreachable")

    # Stop, retry, recovery -----------------------------------------------------------------------

    async def stop(self, chat_id: int, topic: int | None = None) -> bool:
        """Stop what is being answered in a lane. What was said is kept and charged. False when nothing was."""
        stopping = await in_db(turns.request_stop)(chat_telegram_id=chat_id, topic=topic)
        self._cancel(stopping)
        return bool(stopping)

    async def stop_turn(self, turn_id: int) -> bool:
        """Stop one answer, whoever asks for it: the caller has made sure. False when it has ended."""
        stopping = await in_db(request_stop_of)(turn_id)
        self._cancel([turn_id])
        return stopping

    async def stop_person(self, telegram_id: int) -> None:
        """Stop everything that is being answered to somebody, wherever they asked."""
        self._cancel(await in_db(stop_all_of)(telegram_id))

    def _cancel(self, turn_ids: Sequence[int] | set[int]) -> None:
        for turn in turn_ids:
            if stream := self._streams.get(turn):
                stream.cancel()

    async def retry(self, turn_id: int, user_id: int) -> None:
        """Ask a broken-off turn again. Raises NotARetry."""
        owner, models = self._desk.owner, self._desk.models
        await self._again(partial(retry_turn, turn_id, user_id=user_id, owner=owner, models=models))

    async def retry_lane(self, chat_id: int, topic: int | None, user_id: int) -> None:
        """Ask a lane's last question again, answered or not. Raises NotARetry."""
        lane = partial(retry_lane, chat_telegram_id=chat_id, topic=topic, user_id=user_id)
        await self._again(partial(lane, owner=self._desk.owner, models=self._desk.models))

    async def _again(self, retry: Callable[[], Claim]) -> None:
        """Whoever is quick presses before we have noted that the turn above the button has ended."""
        until = time.monotonic() + TOLD_SECONDS_MAX
        while True:
            try:
                self.begin(await in_db(retry)())
                return
            except BeingTold:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(TOLD_LOOK_SECONDS)

    async def recover(self) -> int:
        """Take up turns whose process is gone, and messages it left waiting; returns how many."""
        taken = 0
        for turn in await in_db(leases.overdue_turns)():
            if turn in self._streams:
                continue  # ours: the database was away and the lease with it
            claim = await in_db(turns.resume_turn)(turn, owner=self._desk.owner, models=self._desk.models)
            if claim is not None:
                log.info("turn.taken_up", turn=turn, attempt=claim.turn.attempts)
                self.begin(claim)
                taken += 1
        for thread in await in_db(leases.threads_left_waiting)():
            claim = await in_db(turns.claim_next)(thread, owner=self._desk.owner, models=self._desk.models)
            if claim is not None:
                self.begin(claim)
                taken += 1
        return taken

    async def renew(self) -> None:
        """Stay the owner of what is under way, and see what another process was asked to stop."""
        mine, until = list(self._streams), leases.lease_end()
        if not mine:
            return
        lost, stops = await patiently(leases.renew_leases)(self._desk.owner, mine)
        self._until.update({turn: until for turn in mine if turn in self._until})
        self._cancel(lost | stops)
        for turn in lost & self._streams.keys():
            log.warning("turn.lease_lost", turn=turn)
            self._let_go(turn)

    async def _make_sure(self, turn: int) -> None:
        """Before anything is sent: who has slept past a lease, or past PostgreSQL, asks first. Raises LeaseLost."""
        async with self._renewing:
            while time.monotonic() > self._until.get(turn, math.inf):
                await self.renew()
        if turn not in self._streams:
            raise LeaseLost(f"turn {turn}")

    def _let_go(self, turn: int) -> None:
        del self._streams[turn], self._until[turn]

    async def drain(self, seconds: float) -> None:
        """Going down: let what is nearly done be done, give up the rest to whoever comes next."""
        if self._tasks:
            await asyncio.wait(set(self._tasks.values()), timeout=seconds)
        streams = list(self._streams.values())
        for turn in list(self._streams):
            self._let_go(turn)  # nothing more of it is sent: from here on another process may answer
        await in_db(leases.release_leases)(self._desk.owner)
        for task in list(self._tasks.values()):
            task.cancel()
        # A step cut here finds its lease gone, and keeps nothing: whoever takes the turn up asks again.
        await asyncio.gather(*self._tasks.values(), *streams, return_exceptions=True)


def _in_public(to: Destination) -> bool:
    """Do others read this too? What somebody has and spends is not theirs to know."""
    return isinstance(to, GroupDestination | GuestDestination)


def _show(draft: Draft, event: TurnEvent, language: str, *, in_public: bool) -> None:
    """Show one event of a turn, with our own words for what the draft has none for."""
    match event:
        case SummingUp():
            draft.label("summary", f"📝 {say('summing_up', language)}…")
        case SummedUp():
            draft.label("summary")
            if event.cost is not None and not in_public:
                draft.aside(Words(say("summed_up", language, cost=event.cost)))
        case _:
            draft.show(event)
