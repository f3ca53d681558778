"""What Gemini's refusals become: a key for the person's sentence, and whether to try again."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from conversations.contracts import Model, ProviderError
from conversations.providers import models
from tests.fakes.gemini import GeminiStandIn
from tests.fakes.gemini_script import ErrorChunk, Sent, Words, retry_in
from tests.providers.harness import answer, asks
from tests.providers.harness_gemini import pointed_at

LOCATION = "User location is not supported for the API use."
WINDOW = "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576)."
SIZE = "Request payload size exceeds the limit: 104857600 bytes."


@pytest.fixture
async def gemini(settings: Any) -> AsyncIterator[GeminiStandIn]:
    async with GeminiStandIn.started() as stand_in, pointed_at(stand_in.url, settings):
        yield stand_in


@pytest.fixture
def flash() -> Model:
    return models()["gemini-3.8-flash"]


@pytest.mark.parametrize(
    ("code", "status", "message", "key", "retryable"),
    [
        (400, "INVALID_ARGUMENT", WINDOW, "context", False),
        (400, "INVALID_ARGUMENT", SIZE, "context", False),
        (400, "INVALID_ARGUMENT", "contents: something else", "bad_request", False),
        (400, "FAILED_PRECONDITION", LOCATION, "key", False),
        (401, "UNAUTHENTICATED", "", "key", False),
        (403, "PERMISSION_DENIED", "", "key", False),
        (404, "NOT_FOUND", "models/gemini-0 is not found", "gone", False),
        (413, "INVALID_ARGUMENT", "", "context", False),
        (429, "RESOURCE_EXHAUSTED", "", "limited", True),
        (499, "CANCELLED", "", "overloaded", True),
        (500, "INTERNAL", "", "overloaded", True),
        (501, "UNIMPLEMENTED", "", "bad_request", False),
        (503, "UNAVAILABLE", "", "overloaded", True),
        (504, "DEADLINE_EXCEEDED", "", "timeout", True),
    ],
)
async def test_every_refusal_has_a_key_and_an_advice(
    gemini: GeminiStandIn, flash: Model, code: int, status: str, message: str, key: str, retryable: bool
) -> None:
    for _ in range(3):
        gemini.fail(code, status, message, details=(retry_in("0s"),))
    with pytest.raises(ProviderError) as failed:
        await answer(flash, asks("Hi"))
    assert (failed.value.key, failed.value.retryable) == (key, retryable)
    assert len(gemini.requests) == (3 if retryable else 1)
    assert failed.value.detail.startswith(f"{status}: {code}")


@pytest.mark.parametrize(
    ("code", "key", "retryable"),
    [
        (302, "bad_request", False),
        (401, "key", False),
        (403, "key", False),
        (404, "gone", False),
        (418, "bad_request", False),
        (429, "limited", True),
        (502, "overloaded", True),
        (504, "timeout", True),
    ],
)
async def test_the_page_of_a_proxy_has_a_key_too_and_is_never_repeated(
    gemini: GeminiStandIn, flash: Model, code: int, key: str, retryable: bool
) -> None:
    for _ in range(3):
        gemini.fail(code, body="<html>Blocked by the secret proxy</html>", headers={"retry-after": "0"})
    with pytest.raises(ProviderError) as failed:
        await answer(flash, asks("Hi"))
    assert (failed.value.key, failed.value.retryable) == (key, retryable)
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize("body", ['"no"', "[]", '{"error": "no"}', "[1, 2]", "{", "\xff"])
async def test_an_error_of_any_shape_is_a_provider_error(
    gemini: GeminiStandIn, flash: Model, body: str
) -> None:
    gemini.fail(400, body=body)
    with pytest.raises(ProviderError) as failed:
        await answer(flash, asks("Hi"))
    assert (failed.value.key, failed.value.retryable) == ("bad_request", False)


async def test_a_wrong_key_is_told_by_its_reason_though_it_is_a_400(
    gemini: GeminiStandIn, flash: Model
) -> None:
    gemini.api_key = "another"
    with pytest.raises(ProviderError) as failed:
        await answer(flash, asks("Hi"))
    assert (failed.value.key, failed.value.retryable) == ("key", False)
    assert "AIza-test" not in str(failed.value)


@pytest.mark.parametrize(("delay", "seconds"), [("61s", 61.0), ("90.5s", 90.5), ("3600s", 3600.0)])
async def test_the_delay_google_asks_for_is_told_with_the_error(
    gemini: GeminiStandIn, flash: Model, delay: str, seconds: float
) -> None:
    gemini.fail(429, details=({"@type": "type.googleapis.com/google.rpc.QuotaFailure"}, retry_in(delay)))
    with pytest.raises(ProviderError) as failed:
        await answer(flash, asks("Hi"))
    assert failed.value.wait_seconds == seconds
    assert len(gemini.requests) == 1


@pytest.mark.parametrize(
    ("code", "key"), [(503, "overloaded"), (429, "limited"), (500, "overloaded"), (400, "bad_request")]
)
async def test_an_error_inside_the_stream_has_the_same_keys(
    gemini: GeminiStandIn, flash: Model, code: int, key: str
) -> None:
    gemini.say(Words("Half"), ErrorChunk(code, "no"))
    with pytest.raises(ProviderError) as failed:
        await answer(flash, asks("Hi"))
    assert (failed.value.key, failed.value.retryable) == (key, False)


@pytest.mark.parametrize(
    "chunk",
    [
        {"candidates": [7]},
        {"candidates": [{"content": "words"}]},
        {"candidates": [{"content": {"parts": [{"text": {"not": "text"}}]}}]},
        {"usageMetadata": {"promptTokenCount": "many"}},
        {"error": {"message": "without a code"}},
    ],
)
async def test_a_stream_of_rubbish_is_a_broken_stream(
    gemini: GeminiStandIn, flash: Model, chunk: dict[str, Any]
) -> None:
    gemini.say(Words("Half"), Sent(chunk))
    with pytest.raises(ProviderError) as failed:
        await answer(flash, asks("Hi"))
    assert (failed.value.key, failed.value.retryable) == ("overloaded", False)


async def test_a_history_google_finds_fault_with_is_told_as_our_fault(
    gemini: GeminiStandIn, flash: Model
) -> None:
    gemini.say(Words("Hm."), finish="MISSING_THOUGHT_SIGNATURE")
    with pytest.raises(ProviderError) as failed:
        await answer(flash, asks("Hi"))
    assert (failed.value.key, failed.value.retryable) == ("bad_request", False)
