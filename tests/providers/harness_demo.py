"""The demo model: no vendor and no wire, so it has no network to fail."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

from billing.pricing import Usage
from conversations.contracts import Request
from conversations.parts import Text, Thinking, ToolCall, ToolResult
from conversations.providers import models
from conversations.reply import Reply
from tests.providers.harness import Scenario, asks

NO_WIRE = "the demo has no network"
NOT_SCRIPTED = "the demo's script never does this"

QUESTIONS = {
    Scenario.TEXT: "Hello",
    Scenario.THINKING: "Hello",
    Scenario.CALL: "Explain why the sky is blue, with a formula",
    Scenario.LENGTH: "Explain why the sky is blue",
    Scenario.STOP: "A long answer, please",
    Scenario.TOO_LONG: "слово " * 200_000,
    Scenario.LISTENS: "Hello",
}


class Harness:
    model = models()["demo"]
    cannot = {
        Scenario.TWO_CALLS: NOT_SCRIPTED,
        Scenario.NO_PARAMETERS: NOT_SCRIPTED,
        Scenario.BROKEN_ARGUMENTS: NOT_SCRIPTED,
        Scenario.PAUSE: NOT_SCRIPTED,
        Scenario.REFUSAL: NOT_SCRIPTED,
        Scenario.LIMITED: NO_WIRE,
        Scenario.LIMITED_LONG: NO_WIRE,
        Scenario.OVERLOADED: NO_WIRE,
        Scenario.UNAVAILABLE: NO_WIRE,
        Scenario.OVERLOADED_FOR_GOOD: NO_WIRE,
        Scenario.NO_CONNECTION: NO_WIRE,
        Scenario.LATE_ERROR: NO_WIRE,
        Scenario.EARLY_ERROR: NO_WIRE,
        Scenario.CUT: NO_WIRE,
        Scenario.CUT_CLEANLY: NO_WIRE,
        Scenario.WRONG_KEY: NO_WIRE,
        Scenario.CONVERSATION: NO_WIRE,
    }

    @asynccontextmanager
    async def opened(self, settings: Any) -> AsyncIterator[Self]:
        settings.DEMO_TOKENS_PER_SECOND = 1_000_000
        yield self

    def set_up(self, scenario: Scenario) -> Request:
        return asks(QUESTIONS[scenario], output_max=80 if scenario is Scenario.LENGTH else 4000)

    @property
    def tries(self) -> int:
        return 1

    def billed(self, request: Request, reply: Reply) -> Usage:
        """About four characters a token, counted here once more."""
        asked = [_tokens(request.system)]
        asked += [
            _tokens(part.text) for message in request.messages for part in message.parts if _has_text(part)
        ]
        assert reply.usage is not None
        return Usage(input=sum(asked), output=reply.usage.output)

    async def left(self) -> None:
        """Nobody to leave."""

    def prefixes(self) -> Sequence[Sequence[bytes]]:
        return []


def _has_text(part: Any) -> bool:
    return isinstance(part, Text | Thinking | ToolResult) and not isinstance(part, ToolCall)


def _tokens(text: str) -> int:
    return (len(text) + 3) // 4
