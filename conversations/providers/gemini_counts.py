"""What a call to Gemini is charged for, by its own report. No MODELS here, so no provider."""

from google.genai import types

from billing.pricing import Usage
from conversations.providers.drift import look_for_unpriced

Report = types.GenerateContentResponseUsageMetadata

PRICED = frozenset(
    {
        *("prompt_token_count", "cached_content_token_count", "tool_use_prompt_token_count"),
        *("candidates_token_count", "thoughts_token_count", "total_token_count"),
        *("traffic_type=ON_DEMAND", "traffic_type=TRAFFIC_TYPE_UNSPECIFIED"),
    }
)
# The SDK drops what it does not know, so a new kind of token shows in the total alone.
OF_NO_KIND = "tokens_of_no_known_kind"


def usage_of(report: Report, web_searches: int) -> Usage:
    """The counts so far; every report is of the whole call. Raises PriceUnusable on counts that are none.

    `prompt_token_count` has the cached tokens in it; what a search read is not in it.
    """
    prompt, cached = report.prompt_token_count or 0, report.cached_content_token_count or 0
    return Usage(
        input=max(prompt - cached, 0) + (report.tool_use_prompt_token_count or 0),
        cache_read=cached,
        output=(report.candidates_token_count or 0) + (report.thoughts_token_count or 0),
        web_searches=web_searches,
    )


def look_at(model_id: str, report: Report | None) -> None:
    """Raise an alarm when the last report of a call counts what nobody is charged for."""
    if report is None:
        return
    usage = usage_of(report, 0)
    charged = usage.input + usage.cache_read + usage.output
    counts = report.model_dump(mode="json", exclude_none=True)
    look_for_unpriced(model_id, {**counts, OF_NO_KIND: (report.total_token_count or 0) - charged}, PRICED)
