"""A stand-in for Gemini's generateContent over real HTTP: the same chunks, the same refusals, the same bill.

In a test:  `async with GeminiStandIn.started() as gemini:` and `gemini.say(Thought(…), Words(…))`.
"""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from tests.fakes import gemini_pictures
from tests.fakes.gemini_books import Bill, Books
from tests.fakes.gemini_pictures import Draws
from tests.fakes.gemini_rules import BODY_MAX, MODELS, WINDOW, Refused, checked
from tests.fakes.gemini_script import (
    Answer,
    Blocks,
    Cut,
    ErrorChunk,
    Fails,
    Hold,
    Json,
    Says,
    Script,
    Sent,
    Step,
    Wait,
    by_itself,
)
from tests.fakes.gemini_wire import Telling, error_body, event

KEY_INVALID = (
    {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com"},
    },
)


@dataclass(eq=False)
class Recorded:
    """One call of streamGenerateContent: what came, what it was billed, how it ended."""

    raw: bytes
    headers: dict[str, str]
    model: str
    body: Any = None  # in the API's own spelling, once it was taken
    code: int = 200
    refusal: str = ""
    bill: Bill | None = None
    answer: list[Json] = field(default_factory=list)  # the parts as they were sent
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)  # the caller left before the end


Answered = Callable[[web.Request, Recorded], Awaitable[web.StreamResponse]]


class _Broken(Exception):
    """The script cut the connection."""


class GeminiStandIn:
    """The API and its memory: the answers a test queued, every request, the implicit caches."""

    def __init__(self, script: Script = by_itself, *, api_key: str = "") -> None:
        self.script = script
        self.api_key = api_key  # any key will do when empty
        self.url = ""
        self.requests: list[Recorded] = []
        self.books = Books()
        self._queue: deque[Answer] = deque()
        self._pictures: deque[Draws | Blocks | Fails] = deque()  # of the image model
        self._arrival = asyncio.Condition()

    @classmethod
    @asynccontextmanager
    async def started(cls, script: Script = by_itself, *, api_key: str = "") -> AsyncIterator[Self]:
        """Serve on a free port until the block ends."""
        stand_in = cls(script, api_key=api_key)
        app = web.Application(client_max_size=0)
        app.router.add_post("/v1/models/{model}:streamGenerateContent", stand_in._stream)
        app.router.add_get("/v1/models", stand_in._models)
        app.router.add_post("/v1/models/{model}:generateContent", stand_in._draw)
        # Cancels a handler whose caller has gone: that is how a stopped stream is noticed.
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        stand_in.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield stand_in
        finally:
            await runner.cleanup()

    def say(self, *steps: Step, **how: Any) -> None:
        """Queue an answer: its parts, and the fields of Says (finish, delay, …)."""
        self._queue.append(Says(steps, **how))

    def block(self, reason: str = "PROHIBITED_CONTENT") -> None:
        self._queue.append(Blocks(reason))

    def fail(self, code: int, status: str = "", message: str = "", **how: Any) -> None:
        """Queue an HTTP error: fields of Fails (details, headers, body)."""
        self._queue.append(Fails(code, status, message, **how))

    def draw(self, *answers: Draws | Blocks | Fails) -> None:
        """Queue answers of the image model, which draws one picture when nothing is queued."""
        self._pictures.extend(answers)

    @property
    def accepted(self) -> list[Recorded]:
        """The requests that were answered."""
        return [request for request in self.requests if request.code == 200]

    async def arrived(self, number: int) -> Recorded:
        """Wait for the request of this number, counted from 1."""
        async with self._arrival:
            await self._arrival.wait_for(lambda: len(self.requests) >= number)
        return self.requests[number - 1]

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        return await self._record(request, self._say)

    async def _draw(self, request: web.Request) -> web.StreamResponse:
        """generateContent, as the image model answers it: in one piece."""
        return await self._record(request, self._give_pictures)

    async def _say(self, request: web.Request, recorded: Recorded) -> web.StreamResponse:
        if request.query.get("alt") != "sse":
            raise Refused("This stand-in streams server-sent events only.")
        recorded.body = checked(recorded.model, _parsed(recorded.raw))
        answer = self._queue.popleft() if self._queue else self.script(recorded.body)
        return await self._answer(request, recorded, answer)

    async def _give_pictures(self, _request: web.Request, recorded: Recorded) -> web.StreamResponse:
        recorded.body = gemini_pictures.checked(recorded.model, _parsed(recorded.raw))
        draws = self._pictures.popleft() if self._pictures else Draws()
        if isinstance(draws, Fails):
            return _failed(draws, recorded)
        if isinstance(draws, Draws) and draws.hold is not None:
            draws.hold.reached.set()
            await draws.hold.until.wait()
        recorded.bill = gemini_pictures.bill_of(recorded.body, draws)
        return web.json_response(
            gemini_pictures.answer(recorded.model, recorded.body, draws, recorded.bill, secrets.token_hex(8))
        )

    async def _record(self, request: web.Request, answered: Answered) -> web.StreamResponse:
        """Take a call down, and answer it or refuse it in the API's words."""
        recorded = Recorded(await request.read(), dict(request.headers), request.match_info["model"])
        self.requests.append(recorded)
        async with self._arrival:
            self._arrival.notify_all()
        try:
            self._check_call(request)
            return await answered(request, recorded)
        except Refused as refused:
            recorded.code, recorded.refusal = refused.code, refused.message
            details = KEY_INVALID if "API key not valid" in refused.message else ()
            body = error_body(refused.code, refused.message, refused.status, details)
            return web.json_response(body, status=refused.code)
        except (asyncio.CancelledError, ConnectionError):
            recorded.disconnected.set()
            raise
        finally:
            recorded.ended.set()

    async def _models(self, request: web.Request) -> web.Response:
        try:
            self._check_key(request)
        except Refused as refused:
            details = KEY_INVALID if "API key not valid" in refused.message else ()
            body = error_body(refused.code, refused.message, refused.status, details)
            return web.json_response(body, status=refused.code)
        listed = [{"name": f"models/{name}", "inputTokenLimit": WINDOW} for name in sorted(MODELS)]
        return web.json_response({"models": listed})

    def _check_call(self, request: web.Request) -> None:
        if request.content_type != "application/json":
            raise Refused("Request content-type must be application/json.")
        self._check_key(request)

    def _check_key(self, request: web.Request) -> None:
        key = request.headers.get("x-goog-api-key")
        if not key:
            raise Refused(
                "Method doesn't allow unregistered callers (callers without established identity).",
                code=403,
                status="PERMISSION_DENIED",
            )
        if self.api_key and key != self.api_key:
            raise Refused("API key not valid. Please pass a valid API key.")

    async def _answer(self, request: web.Request, recorded: Recorded, answer: Answer) -> web.StreamResponse:
        if isinstance(answer, Fails):
            return _failed(answer, recorded)
        body = recorded.body
        head = {name: body.get(name) for name in ("systemInstruction", "tools", "toolConfig")}
        recorded.bill = self.books.bill(recorded.model, head, body["contents"])
        says = answer if isinstance(answer, Says) else Says(())
        telling = Telling(
            says,
            recorded.bill,
            recorded.model,
            body["generationConfig"].get("maxOutputTokens", 65_536),
            says.response_id if says.response_id != "" else secrets.token_hex(8),
            bool(body["generationConfig"].get("thinkingConfig", {}).get("includeThoughts")),
            recorded.answer,
        )
        await asyncio.sleep(says.before)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            if isinstance(answer, Blocks):
                await response.write(event(telling.blocked(answer.reason)))
            else:
                await _tell(response, telling)
        except _Broken:
            assert request.transport is not None
            request.transport.abort()
            return response
        await response.write_eof()
        return response


async def _tell(response: web.StreamResponse, telling: Telling) -> None:
    """Send the answer's chunks; raise _Broken where the script cuts the connection."""
    for step in telling.steps():
        match step:
            case Wait():
                await asyncio.sleep(step.seconds)
            case Hold():
                step.reached.set()
                await step.until.wait()
            case Sent():
                await response.write(event(step.chunk))
            case ErrorChunk():
                await response.write(event(error_body(step.code, step.message)))
                return
            case Cut(clean=True):
                return
            case Cut():
                raise _Broken
            case _:
                for chunk in telling.chunks(step):
                    await asyncio.sleep(telling.says.delay)
                    await response.write(event(chunk))
        if telling.full:
            break
    await response.write(event(telling.closing()))


def _parsed(raw: bytes) -> Any:
    if len(raw) > BODY_MAX:
        raise Refused(f"Request payload size exceeds the limit: {BODY_MAX} bytes.")
    try:
        return json.loads(raw)
    except ValueError as error:
        raise Refused(f"Invalid JSON payload received. {error}") from error


def _failed(answer: Fails, recorded: Recorded) -> web.Response:
    recorded.code = answer.code
    if answer.body is not None:
        return web.Response(
            status=answer.code, text=answer.body, headers=answer.headers, content_type="text/html"
        )
    body = error_body(answer.code, answer.message or "It failed.", answer.status, answer.details)
    return web.json_response(body, status=answer.code, headers=answer.headers)
