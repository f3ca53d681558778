"""A thread's title: asked for once, of the cheapest model, when its first answer has been delivered.

Nothing waits for it, and nothing fails with it: a thread without one is taken up later, or stays without.
"""

import asyncio
import re
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.template.loader import render_to_string

from accounts.services import lock_user
from billing import ledger
from billing.absorbed import absorb
from billing.models import AbsorbedCost
from billing.policy import can_make_request
from billing.pricing import Rates, Usage, bill, price
from config.aio import in_db
from config.patience import patiently
from conversations.contracts import Model, ProviderError, Request, RequestMessage
from conversations.epochs import priced
from conversations.history import tokens_at_most
from conversations.models import Message, Thread, Turn
from conversations.parts import Text, text_of
from conversations.providers import available
from conversations.reply import Reply, usage_of
from conversations.threads import rows_of

TITLE_MAX = 128  # characters: Thread.title, and Bot API's name of a topic
WORDS_MAX = 6
OUTPUT_MAX = 1_024  # tokens, thinking included
EXCERPT_MAX = 2_000  # characters of the question and of the answer: a title needs no more
SECONDS_MAX = 60.0
TRIES_MAX = 3
ASKED_FOR = timedelta(seconds=90)  # for so long nobody else asks: longer than SECONDS_MAX
TAKEN_UP = timedelta(minutes=15)  # after its last answer a thread is not named unasked any more
TAKEN_UP_MAX = 20  # threads at a time

# Shown to the model, and therefore no titles: it may echo them (as it would echo a placeholder).
EXAMPLES = ("Boiling eggs at altitude", "Lifetimes in Rust iterators", "Отпуск в Карелии", "Договор аренды")
PLACEHOLDERS = frozenset(
    {"label", "title", "untitled", "topic", "chat", "conversation", "new chat", "new conversation"}
    | {"название", "заголовок", "тема", "чат", "беседа", "без названия", "новый чат", "новая беседа"}
    | {example.casefold() for example in EXAMPLES}
)
QUOTES = str.maketrans("", "", "\"'`«»“”„‘’*_#")
PREFACE = re.compile(r"^(title|название|заголовок)\s*[:—–-]\s*", re.IGNORECASE)
HOLLOW = re.compile(r"[<>\[\]{}|\\]")  # marks of something that was to be filled in

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Named:
    """A thread that has its title now, and where it is."""

    thread_id: int
    chat_telegram_id: int
    topic: int | None
    title: str


@dataclass(frozen=True, slots=True)
class Asking:
    """A title that is being asked for, and who pays."""

    thread_id: int
    turn_id: int
    user_id: int
    model: Model
    rates: Rates
    request: Request


async def name_thread(thread_id: int) -> Named | None:
    """Give a thread its title; None when it has one, cannot have one now, or somebody else is at it."""
    asking = await in_db(ask)(thread_id)
    if asking is None:
        return None
    reply = Reply()
    try:
        async with (
            asyncio.timeout(SECONDS_MAX),
            aclosing(asking.model.stream(asking.model, asking.request)) as events,
        ):
            async for event in events:
                reply.add(event)
    except (ProviderError, TimeoutError) as error:
        log.info("title.failed", thread=thread_id, reason=str(error) or "timeout")
    return await patiently(keep)(asking, reply)


def unnamed() -> list[int]:
    """Threads that were answered a moment ago and have no title: a process died, or a try failed."""
    lately = Turn.objects.filter(
        thread=OuterRef("pk"), state=Turn.State.DONE, finished_at__gt=Now() - TAKEN_UP
    )
    found = _to_be_named().filter(Exists(lately)).order_by("pk") if settings.TITLES else Thread.objects.none()
    return list(found.values_list("pk", flat=True)[:TAKEN_UP_MAX])


def _to_be_named() -> QuerySet[Thread]:
    free = Q(title_asked_at__isnull=True) | Q(title_asked_at__lt=Now() - ASKED_FOR)
    return Thread.objects.filter(free, title="", title_tries__lt=TRIES_MAX)


@transaction.atomic
def ask(thread_id: int) -> Asking | None:
    """What to ask for a thread's title, if it may be asked for; nobody else asks for a while then."""
    turn = (
        Turn.objects.filter(thread_id=thread_id, thread__title="", state=Turn.State.DONE)
        .order_by("pk")
        .first()
    )
    if turn is None or not settings.TITLES:
        return None
    request = _request(turn)
    prompt = tokens_at_most(request.system, *(text_of(message.parts) for message in request.messages))
    dearest = Usage(input=prompt, output=OUTPUT_MAX)
    vendor = available()[turn.model].vendor if turn.model in available() else ""
    bids = [(price(dearest, rates), model.id, model, rates) for model, rates in priced(vendor)]
    if not bids:
        return None
    cost, _, model, rates = min(bids, key=lambda bid: bid[:2])
    check = can_make_request(turn.user_id)
    if not check.allowed or check.balance < cost:
        return None
    claim = {"title_tries": F("title_tries") + 1, "title_asked_at": Now()}
    if not _to_be_named().filter(pk=thread_id).update(**claim):
        return None
    return Asking(thread_id, turn.pk, turn.user_id, model, rates, request)


def _request(turn: Turn) -> Request:
    """The first exchange, short, and what is wanted of it."""
    rows = rows_of(Message.objects.filter(turn=turn, superseded=False))
    asked = "\n".join(text_of(row.parts) for row in rows if row.role == "user")
    answered = "\n".join(text_of(row.parts) for row in rows if row.role == "assistant")
    parts = (
        Text(f"The person wrote:\n{asked.strip()[:EXCERPT_MAX]}"),
        Text(f"The assistant answered:\n{answered.strip()[:EXCERPT_MAX]}"),
    )
    return Request(
        system=render_to_string("prompts/title.md", {"examples": EXAMPLES, "most": WORDS_MAX}).strip(),
        messages=(RequestMessage("user", parts),),
        tools=(),
        output_max=OUTPUT_MAX,
        purpose="title",
    )


@transaction.atomic
def keep(asking: Asking, reply: Reply) -> Named | None:
    """Keep a title and charge for it in one commit; a reply that is none costs its person nothing."""
    lock_user(asking.user_id)
    thread = Thread.objects.select_for_update(of=("self",)).select_related("chat").get(pk=asking.thread_id)
    title = title_in(text_of(reply.kept())) if reply.done else ""
    usage = usage_of(asking.request, reply) or reply.usage
    if usage is None:
        return None
    made, key = bill(asking.model.id, usage, asking.rates), f"thread:{thread.pk}:title"
    if thread.title or not title:
        log.info("title.not_kept", thread=thread.pk, has_one=bool(thread.title))
        absorb(
            f"{key}:{thread.title_tries}",
            user_id=asking.user_id,
            kind=AbsorbedCost.Kind.TITLE,
            cost=made.cost,
            details=made.details,
            charged_as=key,
        )
        return None
    # The first turn's hold is closed by now: a charge through it is still made, and holds nothing.
    ledger.settle(
        f"turn:{asking.turn_id}", key=key, amount=made.charged, cost=made.cost, details=made.details
    )
    thread.title = title
    thread.save(update_fields=["title"])
    return Named(thread.pk, thread.chat.telegram_id, thread.topic, title)


def title_in(said: str) -> str:
    """The title in what a model said, bare; empty when there is none: several lines, a placeholder, an essay."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if len(lines) != 1 or HOLLOW.search(lines[0]) or not lines[0].isprintable():
        return ""
    title = PREFACE.sub("", " ".join(lines[0].translate(QUOTES).split())).rstrip(" .,;:!…")
    is_title = title.casefold() not in PLACEHOLDERS and any(character.isalpha() for character in title)
    return title if is_title and len(title) <= TITLE_MAX and len(title.split()) <= WORDS_MAX else ""
