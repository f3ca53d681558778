"""Claude, against the stand-in of Anthropic's API over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

from billing.pricing import Usage
from conversations.contracts import Request
from conversations.providers import claude, models
from conversations.reply import Reply
from tests.fakes.anthropic import AnthropicStandIn, Recorded
from tests.fakes.anthropic_script import (
    Answer,
    Block,
    Cut,
    ErrorEvent,
    Fails,
    Hold,
    Raw,
    Says,
    ServerUse,
    Thought,
    Use,
    Words,
)
from tests.providers.harness import Scenario, asks

DEADLINE = 10.0  # seconds a test waits for what must happen
SOON = {"retry-after": "0"}
SEARCH_RESULT = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_01A", "content": []}
WORDS = Words("Light of short waves is scattered most.")
HALF = Words("Light of short")

SCRIPTS: dict[Scenario, tuple[Answer, ...]] = {
    Scenario.TEXT: (Says((WORDS,)),),
    Scenario.THINKING: (Says((Thought("What is asked? The sky."), WORDS)),),
    Scenario.CALL: (Says((Words("Look:"), Use("render_latex", {"latex": r"x^2 = \text{é🎈}"}))),),
    Scenario.TWO_CALLS: (Says((Use("render_latex", {"latex": "a"}), Use("render_latex", {"latex": "b"}))),),
    Scenario.NO_PARAMETERS: (Says((Use("clock"),)),),
    Scenario.BROKEN_ARGUMENTS: (Says((Use("render_latex", raw='{"latex": "x^'),)),),
    Scenario.LENGTH: (Says((Words("one two three four five six seven eight nine ten"),)),),
    Scenario.PAUSE: (
        Says((ServerUse("web_search", {"query": "sky"}), Raw(SEARCH_RESULT)), stop_reason="pause_turn"),
    ),
    Scenario.REFUSAL: (
        Says((WORDS,), stop_reason="refusal", stop_details={"type": "refusal", "category": "bio"}),
    ),
    Scenario.LIMITED: (Fails(429, headers=SOON), Says((WORDS,))),
    Scenario.LIMITED_LONG: (Fails(429, headers={"retry-after": "600"}),),
    Scenario.OVERLOADED: (Fails(529, headers=SOON), Says((WORDS,))),
    Scenario.UNAVAILABLE: (Fails(503, body="<html>Bad gateway</html>"), Says((WORDS,))),
    Scenario.OVERLOADED_FOR_GOOD: (Fails(529, headers=SOON),) * 9,
    Scenario.LATE_ERROR: (Says((HALF, ErrorEvent())), Says((WORDS,))),
    Scenario.EARLY_ERROR: (Says((ErrorEvent(),)), Says((WORDS,))),
    Scenario.CUT: (Says((HALF, Cut())), Says((WORDS,))),
    Scenario.CUT_CLEANLY: (Says((HALF, Cut(clean=True))), Says((WORDS,))),
    Scenario.WRONG_KEY: (Fails(401, message="invalid x-api-key"),),
}


class Harness:
    model = models()["claude-opus-5-5"]
    cannot: dict[Scenario, str] = {}

    def __init__(self) -> None:
        self.stand_in: AnthropicStandIn

    @asynccontextmanager
    async def opened(self, settings: Any) -> AsyncIterator[Self]:
        async with AnthropicStandIn.started() as self.stand_in, pointed_at(self.stand_in.url, settings):
            self._settings = settings
            yield self

    def set_up(self, scenario: Scenario) -> Request:
        match scenario:
            case Scenario.STOP:
                self._held = Hold()
                self.stand_in.say(Words("The first words. "), self._held, Words("The last words."))
            case Scenario.NO_CONNECTION:
                claude.client.cache_clear()
                self._settings.ANTHROPIC_BASE_URL = "http://127.0.0.1:9"
            case Scenario.TOO_LONG:
                return asks("слово " * 400_000)
            case Scenario.CONVERSATION | Scenario.LISTENS:
                self.stand_in.script = _turns
            case _:
                answers = iter(SCRIPTS[scenario])
                self.stand_in.script = lambda body: next(answers)
        return asks("Why is the sky blue?", output_max=8 if scenario is Scenario.LENGTH else 4000)

    @property
    def tries(self) -> int:
        return len(self.stand_in.requests)

    def billed(self, request: Request, reply: Reply) -> Usage:
        bill = self._last.bill
        assert bill is not None
        return Usage(
            input=bill.input_tokens,
            cache_read=bill.cache_read_input_tokens,
            cache_write_5m=bill.cache_5m,
            cache_write_1h=bill.cache_1h,
            output=bill.output_tokens,
            web_searches=bill.web_searches,
        )

    async def left(self) -> None:
        async with asyncio.timeout(DEADLINE):
            await self._last.disconnected.wait()

    def prefixes(self) -> Sequence[Sequence[bytes]]:
        return [_wire_messages(request) for request in self.stand_in.requests]

    @property
    def _last(self) -> Recorded:
        return self.stand_in.requests[-1]


@asynccontextmanager
async def pointed_at(url: str, settings: Any) -> AsyncIterator[None]:
    """The provider with a client of its own, for as long as the block runs."""
    settings.ANTHROPIC_API_KEY = "sk-ant-test"
    settings.ANTHROPIC_BASE_URL = url
    claude.client.cache_clear()
    try:
        yield
    finally:
        await claude.client().close()
        claude.client.cache_clear()


def _turns(body: Block) -> Answer:
    """Thinking, words and a call to everything a person asks; thinking and words to every result."""
    last = body["messages"][-1]["content"][-1]
    if last["type"] == "tool_result":
        return Says((Thought("It is drawn."), Words("There it stands, **é🎈**.\n")))
    formula = {"latex": r"\frac{1}{\lambda^4}", "points": [1, 2.5, None, True]}
    return Says((Thought("A formula helps."), Words("Look:\n\n"), Use("render_latex", formula)))


def _wire_messages(request: Recorded) -> list[bytes]:
    """The messages as they stand in the raw body: cut out at the borders that a JSON decoder finds."""
    text = request.raw.decode()
    decoder = json.JSONDecoder()
    at = text.index('"messages":[') + len('"messages":[')
    found = []
    while text[at] != "]":
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end].encode())
        at = end + (text[end] == ",")
    return found
