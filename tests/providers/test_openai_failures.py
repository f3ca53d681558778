"""What a refusal of OpenAI's, or of a server like it, means for the person and for the next try."""

from typing import Any

import pytest

from conversations.contracts import Model, ProviderError
from conversations.reply import Reply
from tests.fakes.openai import OpenAIStandIn
from tests.fakes.openai_script import ErrorEvent, Sent, Words
from tests.providers.harness import answer, asks, fold
from tests.providers.harness_openai_chat import Harness

CHAT = Harness.model
TOO_MUCH = "Request too large for gpt-6.1-sol on tokens per min (TPM): Limit 30000, Requested 45000."
WINDOW = "This model's maximum context length is 32768 tokens. However, you requested 40000 tokens."


async def failure(model: Model) -> ProviderError:
    with pytest.raises(ProviderError) as failed:
        await answer(model, asks("Hi"))
    return failed.value


@pytest.mark.parametrize("wire", ["responses", "chat"])
@pytest.mark.parametrize(
    ("status", "code", "how", "key"),
    [
        (401, "invalid_api_key", {}, "key"),
        (403, "unsupported_country_region_territory", {}, "key"),
        (429, "insufficient_quota", {"type": "insufficient_quota"}, "key"),
        (429, "billing_hard_limit_reached", {}, "key"),
        (404, "model_not_found", {}, "gone"),
        (404, None, {"body": "<html>nothing here</html>"}, "gone"),
        (400, "context_length_exceeded", {}, "context"),
        (400, 400, {"type": "BadRequestError", "message": WINDOW}, "context"),
        (400, None, {"type": "exceed_context_size_error"}, "context"),
        (413, None, {"body": "<html>too large</html>"}, "context"),
        (429, "rate_limit_exceeded", {"type": "tokens", "message": TOO_MUCH}, "context"),
        (400, "invalid_prompt", {}, "refused"),
        (400, "content_filter", {}, "refused"),
        (400, "unsupported_value", {}, "bad_request"),
        (422, None, {"body": '{"detail": [{"msg": "no"}]}'}, "bad_request"),
        (500, "server_error", {"headers": {"x-should-retry": "false"}}, "overloaded"),
    ],
)
async def test_what_no_waiting_cures_is_told_after_one_try(
    openai: OpenAIStandIn, sol: Model, wire: str, status: int, code: Any, how: dict[str, Any], key: str
) -> None:
    openai.fail(status, code, **how)
    failed = await failure(sol if wire == "responses" else CHAT)
    assert (failed.key, failed.retryable) == (key, False)
    assert len(openai.requests) == 1


@pytest.mark.parametrize(
    ("status", "code", "key"),
    [
        (429, "rate_limit_exceeded", "limited"),
        (429, None, "limited"),
        (503, "slow_down", "limited"),
        (500, "server_error", "overloaded"),
        (502, None, "overloaded"),
        (408, None, "timeout"),
        (504, None, "timeout"),
    ],
)
async def test_what_waiting_cures_is_tried_three_times_and_no_more(
    openai: OpenAIStandIn, sol: Model, status: int, code: Any, key: str
) -> None:
    for _ in range(9):
        openai.fail(status, code, headers={"retry-after-ms": "1"})
    failed = await failure(sol)
    assert (failed.key, failed.retryable) == (key, True)
    assert len(openai.requests) == 3


async def test_the_time_to_wait_is_taken_in_milliseconds_before_seconds(
    openai: OpenAIStandIn, sol: Model
) -> None:
    openai.fail(429, "rate_limit_exceeded", headers={"retry-after-ms": "90500", "retry-after": "1"})
    assert (await failure(sol)).wait_seconds == 90.5


async def test_the_log_gets_the_code_and_the_request_but_never_the_page_of_a_proxy(
    openai: OpenAIStandIn, sol: Model
) -> None:
    openai.fail(400, "unsupported_value", message="No such thing.")
    assert (await failure(sol)).detail == (
        "400 unsupported_value invalid_request_error req_0123456789: No such thing."
    )
    openai.fail(400, body="<html>secret page</html>")
    assert "secret" not in (await failure(sol)).detail


@pytest.mark.parametrize(
    ("error", "key"),
    [
        ({"code": "rate_limit_exceeded", "message": "Slow."}, "limited"),
        ({"code": "server_error", "message": "Oh."}, "overloaded"),
        ({"code": "context_length_exceeded", "message": "Full."}, "context"),
        ({"code": None, "message": "Your input exceeds the context window of this model."}, "context"),
        ({"code": "invalid_image", "message": "Broken."}, "overloaded"),
    ],
)
@pytest.mark.parametrize("form", ["flat", "nested", "failed"])
async def test_an_error_among_the_words_is_final_whatever_its_form(
    openai: OpenAIStandIn, sol: Model, form: str, error: dict[str, Any], key: str
) -> None:
    events = {
        "flat": {"type": "error", **error},
        "nested": {"type": "error", "error": error},
        "failed": {
            "type": "response.failed",
            "response": {"status": "failed", "error": error, "usage": None},
        },
    }
    openai.say(Words("Light"), Sent(events[form]))
    reply = Reply()
    with pytest.raises(ProviderError) as failed:
        await fold(reply, sol, asks("Hi"))
    assert (failed.value.key, failed.value.retryable) == (key, False)
    assert len(openai.requests) == 1
    assert reply.began


@pytest.mark.parametrize(
    ("code", "key"), [(429, "limited"), (502, "overloaded"), (403, "key"), ("x", "overloaded")]
)
async def test_a_chat_server_that_gives_the_status_as_code_is_understood(
    openai: OpenAIStandIn, code: Any, key: str
) -> None:
    openai.say(Words("Light"), ErrorEvent(code=code))
    assert (await failure(CHAT)).key == key


async def test_an_error_that_is_no_object_is_understood_by_its_status(openai: OpenAIStandIn) -> None:
    openai.fail(404, body='{"error": "model not found, try pulling it first"}')
    assert (await failure(CHAT)).key == "gone"


async def test_a_wrong_key_is_told_by_openai_itself(openai: OpenAIStandIn, sol: Model) -> None:
    openai.api_key = "another"
    assert (await failure(sol)).key == "key"
