"""When a conversation has grown too long, and what is asked of the model that sums it up.

A thread is a row of epochs. Inside one everything said keeps its bytes (a signed thought is valid only so);
the next begins with a summary, and with whatever prompt and tools are of today. How one ends is in compaction.py.
"""

from collections.abc import Sequence
from decimal import Decimal
from enum import IntEnum

from django.conf import settings
from django.template.loader import render_to_string

from billing.errors import PriceUnknown
from billing.prices import offered, rates_for
from billing.pricing import Rates, Usage, price
from conversations import history
from conversations.contracts import Model, Request, RequestMessage
from conversations.media import MEDIA_BYTES_MAX
from conversations.models import Thread
from conversations.parts import File, Text
from conversations.providers import available
from conversations.threads import said_in
from conversations.transcript import transcript

OUTPUT_MAX = 16_000  # tokens of one step: long answers go on in the next
WINDOW_PERCENT = 80  # of a model's window may be filled; the counts of what is new are our own
SUMMARY_MAX = 8_000  # tokens of a summary, thinking included
SUMMARY_MIN = 2_000  # below this a summary is not worth its input
SCALED_BYTES = 1_000_000  # of a picture scaled down to 1568 pixels, at most; most take a third of it


class Need(IntEnum):
    """How badly a thread needs to be summed up before its model is asked again."""

    NONE = 0
    DUE = 1  # it has become dear: if it cannot be done now, the answer comes first
    MUST = 2  # the model takes no more


def need_of(rows: Sequence[history.Row], model: Model, *, head: tuple[str, str]) -> Need:
    """Whether these rows are too long for the model; `head` is what stands before them."""
    if not may_be_summed_up(rows):
        return Need.NONE
    counted, _, new = history.prompt_of(rows, *head, reads=model.reads)
    if counted + new + _answer_room(model) > model.window:
        return Need.MUST
    long = counted + new > tokens_max(model) or _media_bytes(rows, model) > MEDIA_BYTES_MAX
    return Need.DUE if long else Need.NONE


def may_be_summed_up(rows: Sequence[history.Row]) -> bool:
    """Not between a call and its result, and not in mid-sentence. And only where something was answered since
    the last summary: else a new one would be no shorter."""
    answered = any(row.role == "assistant" for row in rows)
    return answered and not history.open_calls(rows) and not history.is_cut_short(rows)


def tokens_max(model: Model) -> int:
    """The length of a prompt from which on a thread is summed up before this model is asked."""
    room = model.window * WINDOW_PERCENT // 100 - _answer_room(model)
    return min(settings.COMPACT_AT_TOKENS, room)


def _answer_room(model: Model) -> int:
    return min(OUTPUT_MAX, model.output_max, model.window // 4)


def _media_bytes(rows: Sequence[history.Row], model: Model) -> int:
    """Pictures and documents the model is to see again with every question."""
    files = (part for row in rows for part in row.parts if isinstance(part, File))
    return sum(_weight(file) for file in files if file.looks in model.reads)


def _weight(file: File) -> int:
    """Bytes of what a model is shown of a file, at most: not of an original that was scaled down for it."""
    return min(file.size, SCALED_BYTES) if file.shown else file.size


def can_be_summed_up(turn_id: int, thread_id: int) -> bool:
    """When a vendor does not take the thread: is there more to sum up than this turn's own summary?"""
    thread = Thread.objects.get(pk=thread_id)
    said = said_in(thread)
    begun_now = said.filter(seq=thread.epoch_begins, turn_id=turn_id, role="user").exists()
    return not (thread.epoch_begins and begun_now) and said.filter(role="assistant").exists()


# What is asked -----------------------------------------------------------------------------------


def summary_of(rows: Sequence[history.Row], model: Model) -> tuple[Model, Rates, Request]:
    """Who is to sum these rows up, at which rates, and the request. Raises PriceUnknown.

    The rows are told as one text, so any model can read them, whoever has signed what.
    """
    whole = history.tokens_at_most(transcript(rows, tokens_max=model.window))
    writer, rates = _writer(model, whole)
    words = transcript(rows, tokens_max=_room(writer))
    request = Request(
        system=render_to_string("prompts/summary.md").strip(),
        messages=(RequestMessage("user", (Text(words),)),),
        tools=(),
        output_max=min(SUMMARY_MAX, writer.output_max),
        purpose="summary",
    )
    return writer, rates, request


def _writer(model: Model, tokens: int) -> tuple[Model, Rates]:
    """The cheapest model with room for so many tokens, of the vendor the person talks with and no other."""
    wanted = Usage(cache_write_5m=tokens, output=SUMMARY_MAX)
    bids: list[tuple[bool, Decimal, Model, Rates]] = []
    for candidate, rates in priced(model.vendor):
        bids.append((_room(candidate) < tokens, price(wanted, rates), candidate, rates))
    if not bids:
        return model, rates_for(model.id)
    _, _, writer, rates = min(bids, key=lambda bid: bid[:2])
    return writer, rates


def _room(model: Model) -> int:
    return model.window * WINDOW_PERCENT // 100 - min(SUMMARY_MAX, model.output_max, model.window // 4)


def priced(vendor: str) -> list[tuple[Model, Rates]]:
    """The models of a vendor that may be asked now, with what they cost."""
    models, found = available(), []
    for model_id in offered():
        if model_id in models and models[model_id].vendor == vendor:
            try:
                found.append((models[model_id], rates_for(model_id)))
            except PriceUnknown:  # the price list has told staff
                continue
    return found
