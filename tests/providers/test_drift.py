"""What a vendor counts and no price of ours pays for raises an alarm, once."""

from typing import Any
from uuid import uuid4

import pytest

from conversations.providers import claude, openai
from conversations.providers.drift import look_for_unpriced

USUAL = {
    "input_tokens": 3, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 0, "output_tokens": 9,
    "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 0},
    "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 2}, "service_tier": "standard",
    "inference_geo": None,
}  # fmt: skip


def alarms(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line.msg["what"] for line in caplog.records if "usage_unpriced" in str(line.msg)]


def test_what_is_charged_for_is_no_alarm(caplog: pytest.LogCaptureFixture) -> None:
    look_for_unpriced(uuid4().hex, USUAL, claude.PRICED)
    assert alarms(caplog) == []


@pytest.mark.parametrize(
    ("report", "what"),
    [
        ({"server_tool_use": {"code_execution_requests": 2}}, "server_tool_use.code_execution_requests"),
        ({"service_tier": "priority"}, "service_tier=priority"),
        ({"speed": "fast"}, "speed=fast"),
        ({"audio_tokens": 7}, "audio_tokens"),
    ],
)
def test_what_nobody_is_charged_for_is_one_alarm_a_process(
    report: dict[str, Any], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = uuid4().hex
    for _ in range(3):
        look_for_unpriced(model, {**USUAL, **report}, claude.PRICED)
    assert alarms(caplog) == [what]


def test_openai_s_dearer_cache_and_tier_are_alarms(caplog: pytest.LogCaptureFixture) -> None:
    written = {
        "cache_write_tokens": 9,
        "cache_write_tokens_details": {"ttl_30m_tokens": 4, "ttl_12h_tokens": 5},
    }
    report = {"input_tokens": 9, "input_tokens_details": written, "service_tier": "flex"}
    look_for_unpriced(uuid4().hex, report, openai.PRICED)
    assert alarms(caplog) == [
        "input_tokens_details.cache_write_tokens_details.ttl_12h_tokens", "service_tier=flex",
    ]  # fmt: skip
