"""generate_image: a picture drawn, or changed, as a prompt says."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from pydantic import Field

from billing.prices import unit_price
from billing.pricing import NANO
from config.aio import in_db
from conversations.contracts import NewFile, ProviderError, Tool, ToolContext, ToolFailed, ToolOutput
from tools.base import tool
from tools.catalog import _vision

if TYPE_CHECKING:
    from tools.catalog._gemini_pictures import Drawn

SECONDS_MAX = 300  # a picture takes 15 to 40 s, one in 4K more
PROMPT_MAX = 4_000  # characters
SOURCES_MAX = 14  # ai.google.dev/gemini-api/docs/image-generation: pictures of one request
SOURCES_BYTES_MAX = 70_000_000  # of all together: base64 makes four bytes of three, and Google takes 100 MB
SOURCE_KINDS = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}
RATIOS = Literal[
    "auto", "1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "1:4", "4:1", "1:8", "8:1"
]  # fmt: skip

# What Google bills: three kinds of tokens, each with its row in the price list (billing.price_sync says where
# the numbers are from). How many a picture of a size has is only confirmed for 1K, so a picture is charged by
# what was counted, and these, the most that anybody has published, stand in the ceiling.
PICTURE_TOKENS = {"1K": 1_120, "2K": 2_520, "4K": 3_780}
SOURCE_TOKENS = 1_120  # of a picture given with the prompt
PROMPT_TOKENS = 300  # beside the prompt's own bytes, of which none is more than one
THOUGHTS_MAX = 8_192  # tokens, held to by the request's own limit
PICTURE, PROMPT, WORDS = (
    f"gemini-nano-banana-2.1:{kind}-token" for kind in ("picture", "prompt", "output")
)  # items of billing.Price

REFUSALS = ("SAFETY", "PROHIBITED", "BLOCK", "SPII", "RECITATION", "LANGUAGE")  # in the vendor's reasons
FAILURES = {
    "key": "Pictures cannot be drawn here at the moment; its owner has to look after it.",
    "gone": "Pictures cannot be drawn here at the moment; its owner has to look after it.",
    "context": "The prompt and the pictures are too large together. Give fewer or smaller pictures.",
    "limited": "Google draws no more pictures for us just now. It works again later.",
}
FAILED = "Google's image model failed. It may work later; do not try again now."


def most(arguments: Mapping[str, Any]) -> Decimal:
    """Dollars a picture may cost at most: all it may think, and the most that its size may count."""
    prompt = len(arguments["prompt"].encode()) + PROMPT_TOKENS
    prompt += SOURCE_TOKENS * len(arguments["source_file_ids"])
    return _price(prompt, PICTURE_TOKENS[arguments["size"]], THOUGHTS_MAX)


def _price(prompt: int, picture: int, words: int) -> Decimal:
    """Dollars for so many tokens. Raises PriceUnknown."""
    price = unit_price(PROMPT) * prompt + unit_price(PICTURE) * picture + unit_price(WORDS) * words
    return price.quantize(NANO, rounding=ROUND_CEILING)


@tool(
    label=_("Drawing a picture"),
    icon="🎨",
    seconds_max=SECONDS_MAX,
    runs_in="worker",
    price_max=most,
)
async def generate_image(
    context: ToolContext,
    prompt: Annotated[
        str,
        Field(
            min_length=1,
            max_length=PROMPT_MAX,
            description="What to draw or to change, as the person said it; add nothing they did not ask for.",
        ),
    ],
    aspect_ratio: Annotated[
        RATIOS, Field(description="Width to height; auto leaves it to the model.")
    ] = "auto",
    size: Annotated[
        Literal["1K", "2K", "4K"],
        Field(description="1K is enough for a chat; 2K and 4K for print or fine detail, and dearer."),
    ] = "1K",
    source_file_ids: Annotated[
        list[str],
        Field(
            max_length=SOURCES_MAX,
            description="Pictures of this conversation to change or combine, e.g. f_7k2q, in the prompt's order.",
        ),
    ] = [],  # noqa: B006  copied by pydantic
) -> ToolOutput:
    """Draw a picture, or edit and combine pictures of this conversation, as the prompt says.

    Use it only when the person wants a picture. The picture is sent to them; look at it with analyze_image
    only if you must know what came out. About $0.04 in 1K, $0.08 in 2K, $0.12 in 4K, each time anew.
    Charts and diagrams of data are exact with execute_python, formulas with render_latex.
    """
    # Here, not above: the vendor's SDK takes 0.5 s and 60 MB, and every process reads the catalog.
    from tools.catalog._gemini_pictures import draw  # noqa: PLC0415

    sources = await _sources(context, source_file_ids)
    ratio = "" if aspect_ratio == "auto" else aspect_ratio
    try:
        output_max = THOUGHTS_MAX + PICTURE_TOKENS[size]
        drawn = await draw(prompt, size=size, ratio=ratio, sources=sources, output_max=output_max)
    except ProviderError as error:
        # What is wrong with a request is the vendor's to say, and the model's to mend.
        why = f"Google refused the request: {error.detail}" if error.key == "bad_request" else FAILED
        raise ToolFailed(FAILURES.get(error.key, why)) from error
    cost, details = await _charge(drawn, size)
    if not drawn.pictures:
        raise ToolFailed(_why_none(drawn.reason), cost=cost, details=details)
    shape = f", {aspect_ratio}" if ratio else ""
    words = f"Drawn by Gemini Nano Banana 2.1, {size}{shape}."
    if size != "1K":
        words += (
            " The chat shows it as a photo, scaled down; deliver_file with mode=document sends every pixel."
        )
    return ToolOutput(words, files=_files(drawn.pictures), cost=cost, details=details)


async def _sources(context: ToolContext, file_ids: Sequence[str]) -> list[tuple[str, bytes]]:
    """The pictures to draw from, each with its media type. Raises ToolFailed."""
    sources = []
    for file_id in dict.fromkeys(file_ids):
        file, content = await context.files.read(file_id)
        kind = (
            _vision.kind_of(content) or file.mime
        )  # HEIC has no first bytes of its own; what came was sniffed
        if kind not in SOURCE_KINDS:
            raise ToolFailed(
                f"{file_id} ({file.name}) is {kind or 'of no known kind'}. "
                "Only PNG, JPEG, WebP and HEIC pictures can be drawn from."
            )
        sources.append((kind, content))
    if sum(len(content) for _, content in sources) > SOURCES_BYTES_MAX:
        raise ToolFailed(f"These pictures have more than {SOURCES_BYTES_MAX:,} bytes together. Give fewer.")
    return sources


async def _charge(drawn: "Drawn", size: str) -> tuple[Decimal, Mapping[str, Any]]:
    """What was counted is charged; a picture without a sane count at its size's most, and staff were told."""
    counted = drawn.counted
    if counted is None and not drawn.pictures:
        return Decimal(0), {}
    tokens = asdict(counted) if counted else {"prompt": 0, "words": 0, "estimated": True}
    tokens.setdefault("pictures", PICTURE_TOKENS[size] * len(drawn.pictures))
    cost = await in_db(_price)(tokens["prompt"], tokens["pictures"], tokens["words"])
    return cost, {"item": PICTURE, "size": size, "tokens": tokens}


def _why_none(reason: str) -> str:
    if any(word in reason for word in REFUSALS):
        return (
            f"Google's rules do not allow this picture ({reason}). Say so plainly, and do not reword it to get round "
            "them. Another picture may be drawn."
        )
    if reason == "MAX_TOKENS":
        return "It thought for too long and drew nothing. Ask for something simpler, or say it more shortly."
    return f"No picture came of it ({reason or 'no reason given'}). Say more plainly what the picture shows."


def _files(pictures: Sequence[tuple[str, bytes]]) -> tuple[NewFile, ...]:
    return tuple(
        NewFile(f"picture{f'-{number}' if number > 1 else ''}.{ENDINGS.get(mime, 'png')}", mime, content)
        for number, (mime, content) in enumerate(pictures, start=1)
    )


def here() -> Tool | None:
    """Only with a key of Google's: nobody else draws."""
    return generate_image if settings.GEMINI_API_KEY else None
