"""Gemini, against the stand-in of Google's API over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

from billing.pricing import Usage
from conversations.contracts import Request
from conversations.providers import gemini, models
from conversations.reply import Reply
from tests.fakes.gemini import GeminiStandIn, Recorded
from tests.fakes.gemini_script import (
    Answer,
    Cut,
    ErrorChunk,
    Fails,
    Hold,
    Json,
    Says,
    Thought,
    Use,
    Words,
    retry_in,
)
from tests.providers.harness import Scenario, asks

DEADLINE = 10.0  # seconds a test waits for what must happen
SOON = (retry_in("0s"),)
WORDS = Words("Light of short waves is scattered most.")
HALF = Words("Light of short")

SCRIPTS: dict[Scenario, tuple[Answer, ...]] = {
    Scenario.TEXT: (Says((WORDS,)),),
    Scenario.THINKING: (Says((Thought("What is asked? The sky."), WORDS)),),
    Scenario.CALL: (Says((Words("Look:"), Use("render_latex", {"latex": r"x^2 = \text{é🎈}"}))),),
    Scenario.TWO_CALLS: (Says((Use("render_latex", {"latex": "a"}), Use("render_latex", {"latex": "b"}))),),
    Scenario.NO_PARAMETERS: (Says((Use("clock"),)),),
    Scenario.LENGTH: (Says((Words("one two three four five six seven eight nine ten"),)),),
    Scenario.REFUSAL: (Says((WORDS,), finish="SAFETY"),),
    Scenario.LIMITED: (Fails(429, details=SOON), Says((WORDS,))),
    Scenario.LIMITED_LONG: (Fails(429, details=(retry_in("600s"),)),),
    Scenario.OVERLOADED: (Fails(503, details=SOON), Says((WORDS,))),
    Scenario.UNAVAILABLE: (
        Fails(503, body="<html>Bad gateway</html>", headers={"retry-after": "0"}),
        Says((WORDS,)),
    ),
    Scenario.OVERLOADED_FOR_GOOD: (Fails(503, details=SOON),) * 9,
    Scenario.LATE_ERROR: (Says((HALF, ErrorChunk())), Says((WORDS,))),
    Scenario.EARLY_ERROR: (Says((ErrorChunk(),)), Says((WORDS,))),
    Scenario.CUT: (Says((HALF, Cut())), Says((WORDS,))),
    Scenario.CUT_CLEANLY: (Says((HALF, Cut(clean=True))), Says((WORDS,))),
}


class Harness:
    model = models()["gemini-3.8-flash"]
    cannot = {
        Scenario.BROKEN_ARGUMENTS: "arguments come as JSON values; a broken call ends the answer (test_gemini.py)",
        Scenario.PAUSE: "Google's own tools run inside the call and never pause it",
    }

    def __init__(self) -> None:
        self.stand_in: GeminiStandIn

    @asynccontextmanager
    async def opened(self, settings: Any) -> AsyncIterator[Self]:
        async with GeminiStandIn.started() as self.stand_in, pointed_at(self.stand_in.url, settings):
            self._settings = settings
            yield self

    def set_up(self, scenario: Scenario) -> Request:
        match scenario:
            case Scenario.STOP:
                self._held = Hold()
                self.stand_in.say(Words("The first words. "), self._held, Words("The last words."))
            case Scenario.NO_CONNECTION:
                gemini.client.cache_clear()
                self._settings.GEMINI_BASE_URL = "http://127.0.0.1:9"
            case Scenario.WRONG_KEY:
                self.stand_in.api_key = "another one"
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
            input=bill.prompt - bill.cached + bill.tool_use,
            cache_read=bill.cached,
            output=bill.candidates + bill.thoughts,
            web_searches=bill.searches,
        )

    async def left(self) -> None:
        async with asyncio.timeout(DEADLINE):
            await self._last.disconnected.wait()

    def prefixes(self) -> Sequence[Sequence[bytes]]:
        return [wire_contents(request) for request in self.stand_in.requests]

    @property
    def _last(self) -> Recorded:
        return self.stand_in.requests[-1]


@asynccontextmanager
async def pointed_at(url: str, settings: Any) -> AsyncIterator[None]:
    """The provider with a client of its own, for as long as the block runs."""
    settings.GEMINI_API_KEY = "AIza-test"
    settings.GEMINI_BASE_URL = url
    gemini.client.cache_clear()
    gemini.http.cache_clear()
    try:
        yield
    finally:
        await gemini.http().aclose()
        gemini.client.cache_clear()
        gemini.http.cache_clear()


def _turns(body: Json) -> Answer:
    """Thinking, words and a call to everything a person asks; thinking and words to every result."""
    if "functionResponse" in body["contents"][-1]["parts"][0]:
        return Says((Thought("It is drawn."), Words("There it stands, **é🎈**.\n")))
    formula = {"latex": r"\frac{1}{\lambda^4}", "points": [1, 2.5, None, True]}
    return Says((Thought("A formula helps."), Words("Look:\n\n"), Use("render_latex", formula)))


def wire_contents(request: Recorded) -> list[bytes]:
    """The contents as they stand in the raw body: cut out at the borders that a JSON decoder finds."""
    text = request.raw.decode()
    decoder = json.JSONDecoder()
    start = '"contents": ['
    at = text.index(start) + len(start)
    found = []
    while text[at] != "]":
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end].encode())
        at = end + 2 * (text[end] == ",")  # a comma and a space
    return found
