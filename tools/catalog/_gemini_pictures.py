"""One request to Gemini's image model, over the connections that its chat models use."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx2
import structlog
from google.genai import errors, types

from billing.pricing import PriceUnusable, Usage
from conversations.contracts import ProviderError
from conversations.providers.gemini import client, refused

MODEL = "gemini-nano-banana-2.1"
PROMPT_TOKENS_MOST = 131_072  # the model's limits, as models.get says them: no honest count is above
OUTPUT_TOKENS_MOST = 32_768
# Nothing was drawn yet when it says so; every other failure may have been paid for, and is not tried again.
NOT_NOW = [429, 503]
TRIES = types.HttpRetryOptions(attempts=3, initial_delay=1.0, max_delay=8.0, http_status_codes=NOT_NOW)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Counted:
    """The tokens of one request, as the vendor counted them, apart by what they cost."""

    prompt: int
    pictures: int
    words: int  # thoughts, and whatever else it said


@dataclass(frozen=True, slots=True)
class Drawn:
    """What came back: pictures (media type and bytes), or the vendor's reason why there are none."""

    pictures: tuple[tuple[str, bytes], ...]
    reason: str
    counted: Counted | None  # None: it said nothing usable


async def draw(
    prompt: str, *, size: str, ratio: str, sources: Sequence[tuple[str, bytes]], output_max: int
) -> Drawn:
    """Have a picture drawn of a prompt and of pictures before it. Raises ProviderError."""
    parts = [types.Part.from_bytes(data=content, mime_type=mime) for mime, content in sources]
    config = types.GenerateContentConfig(
        response_modalities=["IMAGE"],  # with words beside it the size is not kept to
        image_config=types.ImageConfig(aspect_ratio=ratio or None, image_size=size),
        max_output_tokens=output_max,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        automatic_continuation=False,
        http_options=types.HttpOptions(retry_options=TRIES),
    )
    said = types.Content(role="user", parts=[*parts, types.Part.from_text(text=prompt)])
    try:
        answer = await client().aio.models.generate_content(model=MODEL, contents=[said], config=config)
    except errors.APIError as error:
        raise refused(error) from error
    except httpx2.TimeoutException as error:
        raise ProviderError("timeout", type(error).__name__) from error
    except (httpx2.HTTPError, ValueError) as error:  # ValueError: an answer that is no JSON
        raise ProviderError("overloaded", type(error).__name__) from error
    return _read(answer)


def _read(answer: types.GenerateContentResponse) -> Drawn:
    candidate = answer.candidates[0] if answer.candidates else types.Candidate()
    parts = candidate.content.parts or [] if candidate.content else []
    pictures = tuple(
        (part.inline_data.mime_type or "image/png", part.inline_data.data)
        for part in parts
        if part.inline_data and part.inline_data.data and not part.thought  # a thought's picture is a sketch
    )
    reason = candidate.finish_reason.value if candidate.finish_reason else ""
    if answer.prompt_feedback and answer.prompt_feedback.block_reason:
        reason = answer.prompt_feedback.block_reason.value
    return Drawn(pictures, reason, _counted(answer.usage_metadata))


def _counted(report: types.GenerateContentResponseUsageMetadata | None) -> Counted | None:
    """The counts of a report; None, and staff are told, for none or for rubbish."""
    if report is None:
        log.error("pictures.not_counted")
        return None
    said = report.candidates_token_count or 0
    details = report.candidates_tokens_details or []
    drawn = sum(each.token_count or 0 for each in details if each.modality == types.MediaModality.IMAGE)
    drawn = drawn if details else said  # without details all of it at the dearer rate
    counted = Counted(
        report.prompt_token_count or 0, drawn, said - drawn + (report.thoughts_token_count or 0)
    )
    try:
        usage = Usage(input=counted.prompt, output=counted.words)
        total = Usage(output=counted.pictures).output + usage.output
    except PriceUnusable as error:
        log.error("pictures.counts_unusable", why=str(error))
        return None
    if usage.input > PROMPT_TOKENS_MOST or total > OUTPUT_TOKENS_MOST:
        log.error("pictures.counts_unusable", why=str(counted))
        return None
    return counted
