"""What Claude's refusals become: a key for the person's sentence, and whether to try again."""

import pytest

from conversations.contracts import Model, ProviderError
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import ErrorEvent, Sent, Words
from tests.providers.harness import answer, asks


@pytest.mark.parametrize(
    ("status", "type", "message", "key", "retryable"),
    [
        (400, "invalid_request_error", "prompt is too long: 2 tokens > 1 maximum", "context", False),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 9",
            "context",
            False,
        ),
        (400, "invalid_request_error", "messages: something else", "bad_request", False),
        (401, "authentication_error", "", "key", False),
        (402, "billing_error", "", "key", False),
        (403, "permission_error", "", "key", False),
        (404, "not_found_error", "model: claude-0", "gone", False),
        (413, "request_too_large", "", "context", False),
        (418, "teapot_error", "", "bad_request", False),
        (429, "rate_limit_error", "", "limited", True),
        (500, "api_error", "", "overloaded", True),
        (503, "api_error", "", "overloaded", True),
        (504, "timeout_error", "", "timeout", True),
        (529, "overloaded_error", "", "overloaded", True),
    ],
)
async def test_every_refusal_has_a_key_and_an_advice(
    anthropic: AnthropicStandIn, opus: Model, status: int, type: str, message: str, key: str, retryable: bool
) -> None:
    for _ in range(3):
        anthropic.fail(status, type, message, headers={"retry-after": "0"})
    with pytest.raises(ProviderError) as failed:
        await answer(opus, asks("Hi"))
    assert (failed.value.key, failed.value.retryable) == (key, retryable)
    assert len(anthropic.requests) == (3 if retryable else 1)
    assert "req_" in failed.value.detail


@pytest.mark.parametrize(
    ("type", "key"),
    [
        ("overloaded_error", "overloaded"),
        ("rate_limit_error", "limited"),
        ("api_error", "overloaded"),
        ("timeout_error", "timeout"),
        ("invalid_request_error", "bad_request"),
        ("authentication_error", "key"),
        ("sulking_error", "bad_request"),
    ],
)
async def test_an_error_inside_the_stream_has_the_same_keys(
    anthropic: AnthropicStandIn, opus: Model, type: str, key: str
) -> None:
    anthropic.say(Words("Half"), ErrorEvent(type, "no"))
    with pytest.raises(ProviderError) as failed:
        await answer(opus, asks("Hi"))
    assert (failed.value.key, failed.value.retryable) == (key, False)


async def test_the_page_of_a_proxy_is_never_repeated(anthropic: AnthropicStandIn, opus: Model) -> None:
    anthropic.fail(403, body="<html>Blocked by the secret company proxy</html>")
    with pytest.raises(ProviderError) as failed:
        await answer(opus, asks("Hi"))
    assert failed.value.key == "key"
    assert "secret" not in str(failed.value)


async def test_a_vendor_that_says_not_to_retry_is_not_asked_again(
    anthropic: AnthropicStandIn, opus: Model
) -> None:
    anthropic.fail(429, message="Your spend limit is reached", headers={"x-should-retry": "false"})
    with pytest.raises(ProviderError) as failed:
        await answer(opus, asks("Hi"))
    assert (failed.value.key, failed.value.retryable) == ("limited", False)
    assert len(anthropic.requests) == 1


async def test_a_stream_of_rubbish_is_a_broken_stream(anthropic: AnthropicStandIn, opus: Model) -> None:
    orphan = {"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta", "text": "?"}}
    anthropic.say(Words("Half"), Sent(orphan))
    with pytest.raises(ProviderError) as failed:
        await answer(opus, asks("Hi"))
    assert (failed.value.key, failed.value.retryable) == ("overloaded", False)
