"""One model call inside a turn, opened: what it may cost is held, what it reads is gathered.

How it ends is in closing.py. Everything here is part of its caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from billing import ledger
from billing.errors import PriceUnknown, SpendingRefused
from billing.prices import rates_for
from billing.pricing import Rates, Usage, output_within, price
from conversations import history
from conversations.contracts import Model, Request
from conversations.epochs import OUTPUT_MAX, SUMMARY_MIN, Need, may_be_summed_up, need_of, summary_of
from conversations.models import Message, Turn
from conversations.parts import ToolCall
from conversations.said import gather
from conversations.threads import take_in, tools_for, waiting_messages

OUTPUT_MIN = 1_024  # below this an answer is not worth its input
STEPS_MAX = 30  # model calls of one turn; the last one may not call tools
CACHE_LIVES = timedelta(minutes=5)  # the automatic cache's time to live, renewed by each reading
HOLD_FOR = timedelta(minutes=5)  # a step that takes longer settles late, which the ledger allows


@dataclass(frozen=True, slots=True)
class Place:
    """Whose turn is worked on, by which process and with which model."""

    turn_id: int
    thread_id: int
    chat_id: int
    user_id: int
    owner: str
    model: Model

    @property
    def hold_key(self) -> str:
        return f"turn:{self.turn_id}"


@dataclass(frozen=True, slots=True)
class Resumed(Place):
    """A model call that was made before a crash: only the results of these calls are missing.

    Nothing is held for it and no price asked for: what its tools begin anew asks for itself.
    """

    calls: tuple[ToolCall, ...]
    stopped: bool  # the person wants no more: what ended elsewhere is kept, and nothing begins


@dataclass(frozen=True, slots=True)
class Step(Place):
    """A model call that may be made."""

    number: int
    rates: Rates
    request: Request
    continues: bool = False  # goes on in the middle of the answer before
    sums_up_for: Model | None = None  # this call only sums the thread up, for the model that answers then
    must: bool = False  # without the summary there is no answer

    @property
    def key(self) -> str:
        """Of the charge for this call."""
        return f"{self.hold_key}:{'compact' if self.sums_up_for else 'step'}:{self.number}"


def open_step(
    turn: Turn,
    model: Model,
    *,
    continues: bool = False,
    placed: Sequence[Message] = (),
    need: Need | None = None,
) -> Step | None:
    """Hold what the next model call may cost and gather what it is to read.

    Waiting messages are taken in before, unless it is the first step of a turn just made, which has `placed`
    them and counts this step already. A thread that has grown too long is summed up before; `need` is given by who
    knows better than its length. None means no: `turn.failure` then says why.
    """
    first = bool(placed)
    if not first and turn.steps:
        take_in(turn, waiting_messages(turn.thread_id, author=turn.user_id))
    rows = gather(turn, placed)
    unasked = need is None
    if need is None:
        need = need_of(rows, model, head=(turn.thread.system, turn.thread.tools))
    if need:
        step = _open_summary(turn, model, rows, continues=continues, first=first, must=need is Need.MUST)
        if step is not None or turn.failure:
            return step
    try:
        rates = rates_for(model.id)
        prompt = expected_prompt(turn, model, rows)
        offered = tools_for(model, turn.thread)
        searches = model.searches_max if any(spec.native for spec in offered) else 0
        searching = replace(prompt, web_searches=searches)
        wanted = min(OUTPUT_MAX, model.output_max)
        estimate = price(replace(searching, output=wanted), rates)
        left = _hold(turn, first, estimate)
    except (SpendingRefused, PriceUnknown) as refusal:
        refuse(turn, getattr(refusal, "key", "no_price"))
        return None
    least = price(replace(prompt, output=OUTPUT_MIN), rates)
    if left < least:
        too_dear = least > settings.TURN_CAP_USD > 0
        if too_dear and unasked and not need and may_be_summed_up(rows):
            return open_step(turn, model, continues=continues, placed=placed, need=Need.MUST)
        refuse(turn, "long" if need else "too_dear" if too_dear else "used_up")
        return None
    number = _count(turn, first)
    # The vendor searches without asking us in between: a model may call at all only where that is covered too.
    may_call = left >= price(replace(searching, output=OUTPUT_MIN), rates)
    may_call = may_call and (number == 0 or (number + 1 < STEPS_MAX and left >= 2 * least))
    request = Request(
        system=turn.thread.system,
        messages=history.to_request_messages(rows),
        tools=offered,
        output_max=min(wanted, output_within(left, searching if may_call else prompt, rates)),
        may_call=may_call,
    )
    return Step(*_place(turn), model, number=number, rates=rates, request=request, continues=continues)


def resume_calls(turn: Turn, model: Model, calls: Sequence[ToolCall]) -> Resumed:
    """What is left of a step whose process died while its tools ran."""
    return Resumed(*_place(turn), model, tuple(calls), turn.stop_requested)


def _open_summary(
    turn: Turn, model: Model, rows: Sequence[history.Row], *, continues: bool, first: bool, must: bool
) -> Step | None:
    """The call that sums a thread up. None: it cannot be paid; if it must be, `turn.failure` says so."""
    try:
        writer, rates, request = summary_of(rows, model)
        prompt = Usage(cache_write_5m=history.tokens_at_most(*history.words_of(request.messages)))
        estimate = price(replace(prompt, output=request.output_max), rates)
        left = _hold(turn, first, estimate)
    except (SpendingRefused, PriceUnknown) as refusal:
        refuse(turn, getattr(refusal, "key", "no_price"))
        return None
    affordable = min(request.output_max, output_within(left, prompt, rates))
    if affordable < SUMMARY_MIN:
        if must:
            refuse(turn, "long")
        return None
    request = replace(request, output_max=affordable)
    step = Step(*_place(turn), writer, number=_count(turn, first), rates=rates, request=request)
    return replace(step, continues=continues, sums_up_for=model, must=must)


def _place(turn: Turn) -> tuple[int, int, int, int, str]:
    return turn.pk, turn.thread_id, turn.thread.chat_id, turn.user_id, turn.lease_owner


def _count(turn: Turn, first: bool) -> int:
    """The number of the model call that is opened now."""
    if first:
        return 0
    number, turn.steps = turn.steps, turn.steps + 1
    turn.save(update_fields=["steps"])
    return number


def refuse(turn: Turn, failure: str) -> None:
    """Note why a turn goes no further; its person is told by the sentence of that key."""
    turn.failure = failure
    turn.save(update_fields=["failure"])


def expected_prompt(turn: Turn, model: Model, rows: Sequence[history.Row]) -> Usage:
    """What the next prompt will be charged as: what the vendor counted is read from its cache while that lives."""
    counted, at, new = history.prompt_of(rows, turn.thread.system, turn.thread.tools, reads=model.reads)
    warm = at is not None and timezone.now() - at < CACHE_LIVES
    return Usage(cache_read=counted, cache_write_5m=new) if warm else Usage(cache_write_5m=counted + new)


def _hold(turn: Turn, first: bool, estimate: Decimal) -> Decimal:
    """Dollars that this step may spend: from what is available, and then from the overdraft if it is free."""
    if first or turn.steps == 0:
        held = ledger.hold(turn.user_id, key=turn.hold_key, estimate=estimate, expires_in=HOLD_FOR)
        if held.amount >= estimate:
            return estimate
    left: Decimal = ledger.extend(turn.hold_key, needed=estimate, expires_in=HOLD_FOR)
    return left
