"""The promise to answer: claimed, kept alive, taken over after a crash, finished."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models.functions import Now

from accounts.models import User
from accounts.services import lock_user
from billing import ledger
from conversations import history
from conversations.charging import absorb_killed
from conversations.contracts import Model, Reason
from conversations.errors import LeaseLost
from conversations.leases import LEASE, lease_end
from conversations.model_choice import model_for
from conversations.models import Message, Thread, Turn
from conversations.parts import Text
from conversations.retelling import tell_again
from conversations.steps import Resumed, Step, open_step, refuse, resume_calls
from conversations.threads import (
    append,
    is_asked,
    news_for,
    rows_of,
    take_in,
    unclaimed_messages,
    waiting_messages,
)

ATTEMPTS_MAX = 2  # processes that may ask the model for one turn
TELLINGS_MAX = 6  # processes that may try to tell the person how it ended
AGE_MAX = timedelta(minutes=15)  # for longer nobody was at work on it: the person has moved on


@dataclass(frozen=True, slots=True)
class Claim:
    """A turn this process may work on, and where to begin.

    `step` is None when nothing is left to ask: what `rows` say, or `turn.failure`, is only to be told.
    """

    turn: Turn  # with thread, thread.chat and user at hand
    step: Step | Resumed | None
    until: float  # on our own clock, time.monotonic(): from here on the lease may have run out
    rows: tuple[history.Row, ...] = ()  # what the turn has said so far, after a crash


def claim_turn(
    thread: Thread, *, user: User, owner: str, models: Mapping[str, Model], guest_message: str = ""
) -> Claim | None:
    """Take a person's waiting messages into a new turn, theirs to pay; None when there is nothing to do here.

    Call inside a transaction that holds the row of `user`, who wrote last as far as the caller knows, and
    then the thread's. While a turn is running its next step takes the messages in, or its end does.
    """
    waiting = unclaimed_messages(thread.pk, author=user.pk)
    if not is_asked(waiting):
        return None
    until = lease_end()
    # Its first step is the one opened below.
    turn = new_turn(thread, user, owner, models, steps=1, guest_message=guest_message)
    placed = take_in(turn, waiting)
    for news in news_for(thread, user, waiting[-1].created_at.date()):
        placed.append(append(turn.pk, thread.pk, thread.chat_id, "system", (Text(news),)))
    return Claim(turn, open_step(turn, models[turn.model], placed=placed), until)


@transaction.atomic
def claim_next(thread_id: int, *, owner: str, models: Mapping[str, Model]) -> Claim | None:
    """After a turn has ended: what arrived meanwhile starts the next one."""
    waiting = waiting_messages(thread_id)
    if not is_asked(waiting):
        return None
    author = waiting[0].author_id
    assert author is not None, "a person's message has its author"
    user = lock_user(author)
    thread = Thread.objects.select_for_update(of=("self",)).select_related("chat").get(pk=thread_id)
    if thread.dead_at or thread.chat.dead_at:
        return None  # nobody would see the answer, and somebody would pay for it
    return claim_turn(thread, user=user, owner=owner, models=models)


def new_turn(
    thread: Thread, user: User, owner: str, models: Mapping[str, Model], **fields: int | str
) -> Turn:
    model, gone = model_for(user, models)
    lease = {"lease_owner": owner, "lease_until": Now() + LEASE}
    return Turn.objects.create(thread=thread, user=user, model=model, gone_model=gone, **lease, **fields)


@transaction.atomic
def resume_turn(turn_id: int, *, owner: str, models: Mapping[str, Model]) -> Claim | None:
    """Take over a turn whose process is gone; None when somebody else was quicker.

    What was said and paid for stands, and what a worker has ended meanwhile is used, whatever the balance is
    now. Too many attempts, or left alone for too long: the person gets a sentence.
    """
    overdue = Turn.objects.filter(pk=turn_id, state=Turn.State.RUNNING, lease_until__lt=Now())
    payer = overdue.values_list("user_id", flat=True).first()
    if payer is None:
        return None
    lock_user(payer)
    too_old = overdue.filter(lease_until__lt=Now() - AGE_MAX).exists()
    until = lease_end()
    if not overdue.update(lease_owner=owner, lease_until=Now() + LEASE):
        return None
    turn = Turn.objects.select_related("thread", "thread__chat", "user").get(pk=turn_id)
    turn.attempts += 1
    turn.save(update_fields=["attempts"])
    rows = tuple(rows_of(Message.objects.filter(turn=turn, superseded=False)))
    transaction.on_commit(partial(tell_again, turn, rows))
    if turn.attempts > TELLINGS_MAX:
        end_turn(turn, turn.sent)
        return None
    model, calls = models.get(turn.model), history.open_calls(rows)
    if turn.failure or (turn.stop_requested and not (model and calls)) or _complete(rows):
        return Claim(turn, None, until, rows)
    if too_old or turn.attempts > ATTEMPTS_MAX or model is None:
        refuse(turn, "interrupted")
        return Claim(turn, None, until, rows)
    if calls:
        return Claim(turn, resume_calls(turn, model, calls), until, rows)
    absorb_killed(turn, model)
    return Claim(turn, open_step(turn, model, continues=history.is_cut_short(rows)), until, rows)


def _complete(rows: Sequence[history.Row]) -> bool:
    """Did the model finish? The rows of a turn then end with its last words."""
    return bool(rows) and rows[-1].role == "assistant" and rows[-1].reason == Reason.END


def request_stop(*, chat_telegram_id: int, topic: int | None = None, user_id: int | None = None) -> list[int]:
    """Mark the running turns of a lane as to be stopped; returns them. Their owners see it."""
    running = Turn.objects.filter(
        state=Turn.State.RUNNING,
        thread__chat__telegram_id=chat_telegram_id,
        thread__topic=topic,
        guest_message="",  # what is answered elsewhere goes on
    )
    if user_id is not None:
        running = running.filter(user_id=user_id)
    turns = list(running.values_list("pk", flat=True))
    Turn.objects.filter(pk__in=turns).update(stop_requested=True)
    return turns


@transaction.atomic
def finish_turn(turn_id: int, *, owner: str, sent: Sequence[Sequence[int]]) -> bool:
    """The person has been told: the hold goes back, the turn ends. True when more is waiting. Raises LeaseLost."""
    ledger.release(f"turn:{turn_id}")
    mine = Turn.objects.filter(pk=turn_id, state=Turn.State.RUNNING, lease_owner=owner)
    # The thread too: a message that is just being stored either sees this turn ended or is seen here.
    turn = mine.select_for_update(of=("self", "thread")).select_related("thread").first()
    if turn is None:
        raise LeaseLost(f"turn {turn_id}")
    end_turn(turn, sent)
    return Message.objects.filter(thread_id=turn.thread_id, seq__isnull=True, role="user").exists()


def end_turn(turn: Turn, sent: Sequence[Sequence[int]]) -> None:
    """Leave the state `running` for the one that says how it went. Call with the turn's row locked."""
    turn.state = _end_state(turn)
    turn.finished_at = Now()
    turn.sent = list(sent)
    turn.save(update_fields=["state", "finished_at", "sent"])


def _end_state(turn: Turn) -> str:
    if turn.failure == "interrupted":
        return Turn.State.INTERRUPTED
    if turn.failure:
        return Turn.State.FAILED
    return Turn.State.STOPPED if turn.stop_requested else Turn.State.DONE
