"""A look at one file by a model that sees: what analyze_image, analyze_pdf and preview_file share."""

import asyncio
from contextlib import aclosing
from decimal import Decimal

from django.template.loader import render_to_string

from billing.errors import PriceUnknown
from billing.prices import rates_for
from billing.pricing import Rates, Usage, as_json, price
from config.aio import in_db
from conversations.contracts import (
    Media,
    Model,
    ProviderError,
    Reason,
    Request,
    RequestMessage,
    ToolFailed,
    ToolOutput,
)
from conversations.errors import StoppedCall
from conversations.parts import File, Text, text_of
from conversations.providers import available
from conversations.reply import Reply, usage_of

SECONDS_MAX = 150.0
ANSWER_SECONDS_MAX = 120.0  # of those, for the model; a slow one is charged for what it has said
IMAGE_BYTES_MAX = 5_000_000  # Anthropic takes 10 MB of base64, OpenAI 50 MB a request
PAGE_TOKENS_MAX = (
    8_000  # of one picture or page: 4,784 for the largest picture, 3,000 for a dense page's text
)
ASKED_TOKENS_MAX = 2_000  # our sentences and the question's 1,000 characters
OUTPUT_MAX = 4_000  # tokens, thinking included
PDF_PAGES_LOOK = 20  # pages that a preview may look at
IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
PDF = "application/pdf"
STOPPED = "The person stopped it."
KINDS = IMAGES | {PDF}


def kind_of(content: bytes) -> str:
    """The media type of a picture or PDF by its first bytes; nothing for anything else. Names lie."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return PDF if b"%PDF-" in content[:1024] else ""


def price_of_look(pages: int) -> Decimal:
    """Dollars a look at so many pages costs at most. Raises PriceUnknown when no model can see."""
    _, rates = _model()
    prompt = pages * PAGE_TOKENS_MAX + ASKED_TOKENS_MAX
    return price(Usage(input=prompt, output=OUTPUT_MAX), rates)


def _model() -> tuple[Model, Rates]:
    """The cheapest model at hand that reads pictures and PDFs. Raises PriceUnknown when none has a price."""
    at_hand = [model for model in available().values() if model.reads >= KINDS]
    # The demo sees nothing, and says so: only where there is nobody else, priced or not.
    seeing = [model for model in at_hand if model.vendor != "demo"] or at_hand
    priced = []
    for model in seeing:
        try:
            rates = rates_for(model.id)
        except PriceUnknown:
            continue
        priced.append((model, rates.asked or rates))  # the owner's terms come on top of what a tool costs
    if not priced:
        raise PriceUnknown("a model that sees")
    return min(priced, key=lambda each: (each[1].tiers[0].input, each[0].id))


async def look(file: File, content: bytes, question: str) -> ToolOutput:
    """What a model sees in a picture or PDF; charged by its tokens, also when it breaks off."""
    kind = kind_of(content)
    if kind in IMAGES and len(content) > IMAGE_BYTES_MAX:
        raise ToolFailed(
            f"{file.id} has {len(content):,} bytes; make a picture of at most {IMAGE_BYTES_MAX:,}."
        )
    model, rates = await in_db(_model)()
    seen = Media(File(file.id, file.name, kind, len(content)), content)
    request = Request(
        system=render_to_string("prompts/look.md").strip(),
        messages=(RequestMessage("user", (seen, Text(question))),),
        tools=(),
        output_max=min(OUTPUT_MAX, model.output_max),
        purpose="look",
    )
    reply = Reply()
    fault = await _asked(model, request, reply)
    usage = usage_of(request, reply)
    cost = price(usage, rates) if usage else Decimal(0)
    details = {"model": model.id, "usage": as_json(usage) if usage else None, "price": rates.price_id}
    words = text_of(reply.parts) + reply.open_text
    if fault or not words.strip():
        failed = StoppedCall if fault == STOPPED else ToolFailed
        raise failed(fault or f"{model.name} said nothing about it.", cost=cost, details=details)
    return ToolOutput(f"{model.name} looked at {file.id}:\n\n{words}", cost=cost, details=details)


async def _asked(model: Model, request: Request, reply: Reply) -> str:
    """Let a model answer into the reply; returns what went wrong, in words, or nothing."""
    try:
        async with (
            asyncio.timeout(ANSWER_SECONDS_MAX),
            aclosing(model.stream(model, request)) as events,
        ):
            async for event in events:
                reply.add(event)
    except TimeoutError:
        return f"{model.name} took too long over it. Ask about less of it."
    except asyncio.CancelledError:  # a Stop: what was seen so far is charged all the same
        return STOPPED
    except ProviderError as error:
        return f"{model.name} could not look at it ({error.key}). Go on without, or try later."
    if reply.done and reply.done.reason is Reason.REFUSAL:
        return f"{model.name} declines to look at this. Say so."
    return ""
