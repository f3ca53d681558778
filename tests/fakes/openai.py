"""A stand-in for OpenAI over real HTTP, on both wires: the Responses API, and the Chat Completions of a
compatible server. The same events, the same refusals, the same bill.

In a test:  `async with OpenAIStandIn.started() as openai:` and `openai.say(Thought(("…",)), Words(…))`.
As a process:  `python -m tests.fakes.openai --port 8086`, then OPENAI_BASE_URL=http://127.0.0.1:8086/v1.
"""

import argparse
import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from config.env import ServedModel
from tests.fakes import openai_chat_rules, openai_chat_wire, openai_responses_wire, openai_rules
from tests.fakes.openai_books import Bill, Books
from tests.fakes.openai_rules import Refused
from tests.fakes.openai_script import (
    Answer,
    Cut,
    ErrorEvent,
    Fails,
    Hold,
    Item,
    Says,
    Script,
    Sent,
    Step,
    by_itself,
)

SERVED = (
    ServedModel("qwen3:32b", 32_768, images=False, tools=True),
    ServedModel("gemma3:12b", 8_192, images=True, tools=False),
)
Telling = openai_responses_wire.Telling | openai_chat_wire.Telling
Encode = Callable[[Item], bytes]


@dataclass(eq=False)
class Recorded:
    """One call: what came, what it was billed, how it ended."""

    path: str
    raw: bytes
    headers: dict[str, str]
    body: Any = None
    status: int = 200
    refusal: str = ""
    bill: Bill | None = None
    answer: list[Item] = field(
        default_factory=list
    )  # the output items of the Responses API, as they were sent
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)  # the caller left before the end


class _Broken(Exception):
    """The script cut the connection."""


class OpenAIStandIn:
    """The API and its memory: the answers a test queued, every request, the prompt caches."""

    def __init__(self, script: Script = by_itself, *, api_key: str = "", knows_counts: bool = True) -> None:
        self.script = script
        self.api_key = api_key  # any key will do when empty, also none
        self.knows_counts = knows_counts  # whether the chat wire takes stream_options
        self.insists = False  # whether the chat wire wants its reasoning back, as DeepSeek does
        self.url = ""
        self.requests: list[Recorded] = []
        self.books = Books()
        self.served = {model.id: model for model in SERVED}
        self._queue: deque[Answer] = deque()

    @classmethod
    @asynccontextmanager
    async def started(cls, script: Script = by_itself, *, port: int = 0, **how: Any) -> AsyncIterator[Self]:
        """Serve on a free port (or `port`) until the block ends."""
        stand_in = cls(script, **how)
        app = web.Application(client_max_size=0)
        app.router.add_post("/v1/responses", stand_in._responses)
        app.router.add_post("/v1/chat/completions", stand_in._chat)
        app.router.add_get("/v1/models", stand_in._models)
        # Cancels a handler whose caller has gone: that is how a stopped stream is noticed.
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        stand_in.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        try:
            yield stand_in
        finally:
            await runner.cleanup()

    def say(self, *steps: Step, **how: Any) -> None:
        """Queue an answer: its parts, and the fields of Says."""
        self._queue.append(Says(steps, **how))

    def fail(self, status: int, code: Any = None, **how: Any) -> None:
        """Queue an HTTP error: the fields of Fails."""
        self._queue.append(Fails(status, code, **how))

    async def _models(self, request: web.Request) -> web.Response:
        try:
            self._check_key(request)
        except Refused as refused:
            return _error(Fails(refused.status, refused.code, message=refused.message, param=refused.param))
        names = [*openai_rules.MODELS, *self.served]
        listed = [{"id": name, "object": "model", "created": 1, "owned_by": "system"} for name in names]
        return web.json_response({"object": "list", "data": listed})

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        def billed(body: Item) -> Bill:
            openai_rules.check(body, self.books)
            head = [body.get("instructions"), body.get("tools")]
            bill = self.books.bill(head, body["input"], writes=True)
            if bill.input > openai_rules.WINDOW:
                said = "Your input exceeds the context window of this model. Please adjust your input and try again."
                raise Refused(said, code="context_length_exceeded", param="input")
            return bill

        def telling(says: Says, body: Item, bill: Bill) -> Telling:
            return openai_responses_wire.Telling(says, body, bill, self.books)

        return await self._answered(request, billed, telling, openai_responses_wire.event, b"")

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        def billed(body: Item) -> Bill:
            openai_chat_rules.check(
                body, models=self.served, knows_counts=self.knows_counts, insists=self.insists
            )
            bill = self.books.bill(body.get("tools"), body["messages"], writes=False)
            window = self.served[body["model"]].window
            if bill.input + body["max_tokens"] > window:
                said = f"This model's maximum context length is {window} tokens. However, you requested more."
                raise Refused(said, code=400)
            return bill

        return await self._answered(
            request, billed, openai_chat_wire.Telling, openai_chat_wire.event, openai_chat_wire.DONE
        )

    async def _answered(
        self,
        request: web.Request,
        billed: Callable[[Item], Bill],
        telling: Callable[[Says, Item, Bill], Telling],
        encode: Encode,
        end: bytes,
    ) -> web.StreamResponse:
        recorded = Recorded(request.path, await request.read(), dict(request.headers))
        self.requests.append(recorded)
        try:
            self._check_key(request)
            recorded.body = _parsed(recorded.raw)
            bill = billed(recorded.body)
            answer = self._queue.popleft() if self._queue else self.script(recorded.body)
        except Refused as refused:
            recorded.status, recorded.refusal = refused.status, refused.message
            return _error(Fails(refused.status, refused.code, message=refused.message, param=refused.param))
        if isinstance(answer, Fails):
            recorded.status = answer.status
            return _error(answer)
        recorded.bill = bill
        told = telling(answer, recorded.body, bill)
        recorded.answer = getattr(told, "output", recorded.answer)
        try:
            if answer.before:
                answer.before.reached.set()
                await answer.before.until.wait()
            response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
            await response.prepare(request)
            with suppress(_Broken):
                await _tell(response, told, encode, end)
                await response.write_eof()
                return response
        except (asyncio.CancelledError, ConnectionError):
            recorded.disconnected.set()
            raise
        assert request.transport is not None
        request.transport.abort()
        return response

    def _check_key(self, request: web.Request) -> None:
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.api_key and key != self.api_key:
            raise Refused("Incorrect API key provided: sk-***.", status=401, code="invalid_api_key")
        if request.method == "POST" and request.content_type != "application/json":
            raise Refused("Unsupported content type.", status=415)


async def _tell(response: web.StreamResponse, telling: Telling, encode: Encode, end: bytes) -> None:
    """Send the answer's events; raise _Broken where the script cuts the connection."""
    begun = isinstance(telling, openai_responses_wire.Telling)
    if begun:
        for sent in telling.opening():
            await response.write(encode(sent))
    for step in telling.says.steps:
        if isinstance(step, ErrorEvent):
            await response.write(encode(telling.error(step.code, step.message)))
            return
        if not begun:
            begun = True
            for sent in telling.opening():
                await response.write(encode(sent))
        match step:
            case Hold():
                step.reached.set()
                await step.until.wait()
            case Sent():
                await response.write(encode(step.event))
            case Cut(clean=True):
                return
            case Cut():
                raise _Broken
            case _:
                for sent in telling.step(step):
                    await response.write(encode(sent))
        if telling.full:
            break
    for sent in telling.closing():
        await response.write(encode(sent))
    await response.write(end)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError as error:
        raise Refused("We could not parse the JSON body of your request.") from error


def _error(fails: Fails) -> web.Response:
    headers = {"x-request-id": "req_0123456789", **fails.headers}
    if fails.body is not None:
        return web.Response(status=fails.status, text=fails.body, headers=headers, content_type="text/html")
    error = {"message": fails.message, "type": fails.type, "param": fails.param, "code": fails.code}
    return web.json_response({"error": error}, status=fails.status, headers=headers)


async def _serve(port: int) -> None:
    async with OpenAIStandIn.started(port=port) as stand_in:
        print(f"OpenAI stand-in: {stand_in.url}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8086)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
