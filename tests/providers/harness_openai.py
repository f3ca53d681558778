"""OpenAI on the Responses API, against the stand-in over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

from billing.pricing import Usage
from conversations.contracts import Model, Request
from conversations.providers import models, openai_http
from conversations.reply import Reply
from tests.fakes.openai import OpenAIStandIn
from tests.fakes.openai_script import (
    Answer,
    Cut,
    ErrorEvent,
    Fails,
    Hold,
    Item,
    Says,
    Script,
    Thought,
    Use,
    Words,
)
from tests.providers.harness import Scenario, asks

DEADLINE = 10.0  # seconds a test waits for what must happen
SOON = {"retry-after": "0"}
WORDS = Words("Light of short waves is scattered most.")
HALF = Words("Light of short")
LIMIT = Fails(429, "rate_limit_exceeded", type="requests", headers=SOON)
LIMIT_LONG = Fails(429, "rate_limit_exceeded", type="tokens", headers={"retry-after": "600"})

SCRIPTS: dict[Scenario, tuple[Answer, ...]] = {
    Scenario.TEXT: (Says((WORDS,)),),
    Scenario.THINKING: (Says((Thought(("What is asked?", "The sky.")), WORDS)),),
    Scenario.CALL: (Says((Words("Look:"), Use("render_latex", {"latex": r"x^2 = \text{é🎈}"}))),),
    Scenario.TWO_CALLS: (Says((Use("render_latex", {"latex": "a"}), Use("render_latex", {"latex": "b"}))),),
    Scenario.NO_PARAMETERS: (Says((Use("clock"),)),),
    Scenario.BROKEN_ARGUMENTS: (Says((Use("render_latex", raw='{"latex": "x^'),)),),
    Scenario.LENGTH: (Says((Words("one two three four five six seven eight nine ten " * 3),)),),
    Scenario.REFUSAL: (
        Says((HALF,), failed={"code": "bio_policy", "message": "This could not be answered."}),
    ),
    Scenario.LIMITED: (LIMIT, Says((WORDS,))),
    Scenario.LIMITED_LONG: (LIMIT_LONG,),
    Scenario.OVERLOADED: (Fails(529, headers=SOON), Says((WORDS,))),
    Scenario.UNAVAILABLE: (Fails(503, body="<html>Bad gateway</html>"), Says((WORDS,))),
    Scenario.OVERLOADED_FOR_GOOD: (Fails(529, headers=SOON),) * 9,
    Scenario.LATE_ERROR: (Says((HALF, ErrorEvent())), Says((WORDS,))),
    Scenario.EARLY_ERROR: (Says((ErrorEvent(),)), Says((WORDS,))),
    Scenario.CUT: (Says((HALF, Cut())), Says((WORDS,))),
    Scenario.CUT_CLEANLY: (Says((HALF, Cut(clean=True))), Says((WORDS,))),
    Scenario.WRONG_KEY: (Fails(401, "invalid_api_key"),),
}
NO_PAUSE = "OpenAI's own tools never pause an answer"
COUNTS_LAST = "OpenAI counts when an answer ends, and only then"


class Harness:
    model: Model = models()["gpt-6.1-sol"]
    cannot = {Scenario.PAUSE: NO_PAUSE, Scenario.EARLY_USAGE: COUNTS_LAST}
    scripts = SCRIPTS
    rows = "input"  # where the history stands in a request
    too_long = 1_000_000

    def __init__(self) -> None:
        self.stand_in: OpenAIStandIn

    @asynccontextmanager
    async def opened(self, settings: Any) -> AsyncIterator[Self]:
        async with OpenAIStandIn.started() as self.stand_in, pointed_at(self.stand_in.url, settings):
            self._settings = settings
            yield self

    def set_up(self, scenario: Scenario) -> Request:
        match scenario:
            case Scenario.STOP:
                hold = Hold()
                self.stand_in.say(Words("The first words. "), hold, Words("The last words."))
            case Scenario.NO_CONNECTION:
                openai_http.client.cache_clear()
                self._settings.OPENAI_BASE_URL = "http://127.0.0.1:9"
            case Scenario.TOO_LONG:
                return asks("слово " * self.too_long)
            case Scenario.CONVERSATION | Scenario.LISTENS:
                self.stand_in.script = self.turns()
            case _:
                answers = iter(self.scripts[scenario])
                self.stand_in.script = lambda body: next(answers)
        return asks("Why is the sky blue?", output_max=20 if scenario is Scenario.LENGTH else 4000)

    def turns(self) -> Script:
        return _turns

    @property
    def tries(self) -> int:
        return len(self.stand_in.requests)

    def billed(self, request: Request, reply: Reply) -> Usage:
        bill = self.stand_in.requests[-1].bill
        assert bill is not None
        return Usage(
            input=bill.input - bill.cached - bill.written,
            cache_read=bill.cached,
            cache_write_5m=bill.written,
            output=bill.output,
        )

    async def left(self) -> None:
        async with asyncio.timeout(DEADLINE):
            await self.stand_in.requests[-1].disconnected.wait()

    def prefixes(self) -> Sequence[Sequence[bytes]]:
        return [wire_rows(request.raw, self.rows) for request in self.stand_in.requests]


@asynccontextmanager
async def pointed_at(url: str, settings: Any, key: str = "sk-test") -> AsyncIterator[None]:
    """The provider with a client of its own, for as long as the block runs."""
    settings.OPENAI_API_KEY = key
    settings.OPENAI_BASE_URL = url
    openai_http.client.cache_clear()
    try:
        yield
    finally:
        await openai_http.client().close()
        openai_http.client.cache_clear()


def _turns(body: Item) -> Answer:
    """Thinking, words and a call to everything a person asks; thinking and words to every result."""
    if body["input"][-1].get("type") == "function_call_output":
        return Says((Thought(("It is drawn.",)), Words("There it stands, **é🎈**.\n")))
    formula = {"latex": r"\frac{1}{\lambda^4}", "points": [1, 2.5, None, True]}
    call = Use("render_latex", formula)
    return Says((Thought(("A formula helps.", "Which?")), Words("Look:\n\n", phase="commentary"), call))


def wire_rows(raw: bytes, name: str) -> list[bytes]:
    """The rows of a list as they stand in the raw body: cut out at the borders that a JSON decoder finds."""
    text = raw.decode()
    decoder = json.JSONDecoder()
    at = text.index(f'"{name}":[') + len(f'"{name}":[')
    found = []
    while text[at] != "]":
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end].encode())
        at = end + (text[end] == ",")
    return found
