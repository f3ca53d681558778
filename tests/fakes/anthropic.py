"""A stand-in for Anthropic's Messages API over real HTTP: the same events, the same refusals, the same bill.

In a test:  `async with AnthropicStandIn.started() as claude:` and `claude.say(Thought(…), Words(…))`.
As a process:  `python -m tests.fakes.anthropic --port 8085 [--words 60 --seconds 1]`.
"""

import argparse
import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Self

from aiohttp import web

from tests.fakes import anthropic_rules as rules
from tests.fakes.anthropic_books import Bill, Books, boundaries, check_thoughts, sign
from tests.fakes.anthropic_rules import Refused
from tests.fakes.anthropic_script import (
    ERROR_TYPES,
    Answer,
    Block,
    Cut,
    ErrorEvent,
    Fails,
    Hold,
    Ping,
    Says,
    Script,
    Sent,
    Step,
    Wait,
    by_itself,
    steady,
)
from tests.fakes.anthropic_wire import Telling, error_body, event

RATE_LIMIT_HEADERS = {
    "anthropic-ratelimit-requests-limit": "4000",
    "anthropic-ratelimit-requests-remaining": "3999",
    "anthropic-ratelimit-tokens-limit": "2000000",
    "anthropic-ratelimit-tokens-remaining": "1999000",
}


@dataclass(eq=False)
class Recorded:
    """One call of POST /v1/messages: what came, what it was billed, how it ended."""

    raw: bytes
    headers: dict[str, str]
    body: Any = None
    status: int = 200
    refusal: str = ""
    bill: Bill | None = None  # as reported
    counted: Bill | None = None  # as the stand-in counted it; the same unless the script reports another
    answer: list[Block] = field(default_factory=list)  # the blocks as they were sent
    stop_reason: str = ""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)  # the caller left before the end


class _Broken(Exception):
    """The script cut the connection."""


class AnthropicStandIn:
    """The API and its memory: the answers a test queued, every request, the prompt caches."""

    def __init__(self, script: Script = by_itself, *, api_key: str = "") -> None:
        self.script = script
        self.api_key = api_key  # any key will do when empty
        self.url = ""
        self.requests: list[Recorded] = []
        self.books = Books()
        self._queue: deque[Answer] = deque()
        self._arrival = asyncio.Condition()
        self._number = 0

    @classmethod
    @asynccontextmanager
    async def started(
        cls, script: Script = by_itself, *, api_key: str = "", host: str = "127.0.0.1", port: int = 0
    ) -> AsyncIterator[Self]:
        """Serve on a free port (or `port`) until the block ends."""
        stand_in = cls(script, api_key=api_key)
        app = web.Application(client_max_size=0)  # the rules refuse what is too large, in the API's words
        app.router.add_post("/v1/messages", stand_in._messages)
        app.router.add_post("/v1/messages/count_tokens", stand_in._count)
        app.router.add_get("/v1/models", stand_in._models)
        app.router.add_get("/v1/models/{id}", stand_in._model)
        # Cancels a handler whose caller has gone: that is how a stopped stream is noticed.
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        await site.start()
        stand_in.url = f"http://{host}:{runner.addresses[0][1]}"
        try:
            yield stand_in
        finally:
            await runner.cleanup()

    def say(self, *steps: Step, **how: Any) -> None:
        """Queue an answer: its parts, and the fields of Says (stop_reason, delay, …)."""
        self._queue.append(Says(steps, **how))

    def fail(self, status: int, type: str = "", message: str = "", **how: Any) -> None:
        """Queue an HTTP error: fields of Fails (headers, body, details)."""
        self._queue.append(Fails(status, type, message, **how))

    @property
    def accepted(self) -> list[Recorded]:
        """The requests that were answered with a message."""
        return [request for request in self.requests if request.status == 200]

    async def arrived(self, number: int) -> Recorded:
        """Wait for the request of this number, counted from 1."""
        async with self._arrival:
            await self._arrival.wait_for(lambda: len(self.requests) >= number)
        return self.requests[number - 1]

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        recorded = Recorded(raw, dict(request.headers))
        self.requests.append(recorded)
        async with self._arrival:
            self._arrival.notify_all()
        self._number += 1
        request_id = f"req_{self._number:012d}"
        try:
            _check_headers(request, self.api_key)
            recorded.body = _parsed(raw)
            rules.check(recorded.body)
            check_thoughts(recorded.body)
            answer = self._queue.popleft() if self._queue else self.script(recorded.body)
            if isinstance(answer, Says):
                recorded.bill = recorded.counted = self.books.bill(recorded.body)
                if answer.bill is not None:
                    recorded.bill = replace(answer.bill)
        except Refused as refused:
            recorded.status, recorded.refusal = refused.status, refused.message
            return _error(refused.status, error_body(refused.type, refused.message, request_id), request_id)
        try:
            if isinstance(answer, Fails):
                return _failed(answer, recorded, request_id)
            return await self._answer(request, recorded, answer, request_id)
        except (asyncio.CancelledError, ConnectionError):
            recorded.disconnected.set()
            raise
        finally:
            recorded.ended.set()

    async def _answer(
        self, request: web.Request, recorded: Recorded, says: Says, request_id: str
    ) -> web.StreamResponse:
        body = recorded.body
        assert recorded.bill is not None
        telling = Telling(
            says,
            recorded.bill,
            f"msg_{secrets.token_hex(12)}",  # random: a thread may outlive a restarted stand-in
            body["model"],
            body["max_tokens"],
            lambda thinking: sign(body, thinking),
            recorded.answer,
        )
        headers = {"request-id": request_id, **RATE_LIMIT_HEADERS}
        await asyncio.sleep(says.before)
        if not body.get("stream"):
            message = telling.whole()
            recorded.stop_reason = telling.stop_reason
            return web.json_response(message, headers=headers)
        headers |= {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        try:
            await _tell(response, telling)
        except _Broken:
            assert request.transport is not None
            request.transport.abort()
            return response
        recorded.stop_reason = telling.stop_reason
        await response.write_eof()
        return response

    async def _count(self, request: web.Request) -> web.Response:
        try:
            _check_headers(request, self.api_key)
            body = _parsed(await request.read())
            rules.check(body, counting=True)
        except Refused as refused:
            return _error(refused.status, error_body(refused.type, refused.message, "req_count"), "req_count")
        return web.json_response({"input_tokens": boundaries(body)[-1].tokens})

    async def _models(self, request: web.Request) -> web.Response:
        try:
            _check_key(request, self.api_key)
        except Refused as refused:
            return _error(
                refused.status, error_body(refused.type, refused.message, "req_models"), "req_models"
            )
        listed = [_model_info(model_id) for model_id in rules.MODELS]
        ends = {"first_id": listed[0]["id"], "last_id": listed[-1]["id"]}
        return web.json_response({"data": listed, "has_more": False, **ends})

    async def _model(self, request: web.Request) -> web.Response:
        model_id = request.match_info["id"]
        if model_id not in rules.MODELS:
            body = error_body("not_found_error", f"model: {model_id}", "req_model")
            return _error(404, body, "req_model")
        return web.json_response(_model_info(model_id))


async def _tell(response: web.StreamResponse, telling: Telling) -> None:
    """Send the answer's events; raise _Broken where the script cuts the connection."""
    begun = False
    for number, step in enumerate(telling.says.steps):
        if isinstance(step, ErrorEvent) and not begun:
            await response.write(event(error_body(step.type, step.message, telling.message_id)))
            return
        if not begun and not isinstance(step, Cut):
            begun = True
            await response.write(event(telling.opening()) + event({"type": "ping"}))
        match step:
            case Wait():
                await asyncio.sleep(step.seconds)
            case Hold():
                step.reached.set()
                await step.until.wait()
            case Ping():
                await response.write(event({"type": "ping"}))
            case Sent():
                await response.write(event(step.event))
            case ErrorEvent():
                await response.write(event(error_body(step.type, step.message, telling.message_id)))
                return
            case Cut(clean=True):
                return
            case Cut():
                raise _Broken
            case _:
                for sent in telling.step(step, number):
                    await asyncio.sleep(telling.says.delay if sent["type"] == "content_block_delta" else 0)
                    await response.write(event(sent))
        if telling.full:
            break
    if not begun:
        await response.write(event(telling.opening()))
    for sent in telling.closing():
        await response.write(event(sent))


def _check_headers(request: web.Request, api_key: str) -> None:
    _check_key(request, api_key)
    if not request.headers.get("anthropic-version"):
        raise Refused("anthropic-version: header is required")
    if request.content_type != "application/json":
        raise Refused("content-type: must be application/json")


def _check_key(request: web.Request, api_key: str) -> None:
    # SDK 2 sends the key as a bearer token, curl and older SDKs as x-api-key.
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    key = request.headers.get("x-api-key") or bearer
    if not key:
        raise Refused("x-api-key header is required", status=401, type="authentication_error")
    if api_key and key != api_key:
        raise Refused("invalid x-api-key", status=401, type="authentication_error")


def _parsed(raw: bytes) -> Any:
    if len(raw) > rules.BODY_MAX:
        raise Refused("Request exceeds the maximum size", status=413, type="request_too_large")
    try:
        return json.loads(raw)
    except ValueError as error:
        raise Refused(f"The request body is not valid JSON: {error}") from error


def _failed(answer: Fails, recorded: Recorded, request_id: str) -> web.Response:
    recorded.status = answer.status
    if answer.body is not None:
        return web.Response(
            status=answer.status, text=answer.body, headers=answer.headers, content_type="text/html"
        )
    kind = answer.type or ERROR_TYPES[answer.status]
    body = error_body(kind, answer.message or kind.replace("_", " "), request_id, answer.details)
    return _error(answer.status, body, request_id, {**RATE_LIMIT_HEADERS, **answer.headers})


def _error(status: int, body: Block, request_id: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(body, status=status, headers={"request-id": request_id, **(headers or {})})


def _model_info(model_id: str) -> Block:
    return {
        "type": "model",
        "id": model_id,
        "display_name": rules.MODELS[model_id],
        "created_at": "2026-09-01T00:00:00Z",
        "lifecycle": "active",
        "deprecated_at": None,
        "retires_at": None,
        "line": model_id.split("-")[1],
        "max_input_tokens": rules.WINDOW,
        "max_tokens": rules.OUTPUT_MAX,
        "capabilities": None,
    }


async def _serve(port: int, script: Script) -> None:
    async with AnthropicStandIn.started(script, port=port) as stand_in:
        print(f"Anthropic stand-in: {stand_in.url}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8085)
    parser.add_argument("--words", type=int, default=0, help="answer every request with so many words")
    parser.add_argument("--seconds", type=float, default=1.0, help="over so many seconds")
    given = parser.parse_args()
    script = steady(given.words, given.seconds) if given.words else by_itself
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(given.port, script))


if __name__ == "__main__":
    main()
