"""OpenAI's transcription endpoint, as the wire has it: what it refuses, what it counts, what it heard."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

MODELS = {"gpt-transcribe"}
ENDINGS = {"flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm"}
# A list is sent as a field for each item, its name with brackets.
FIELDS = {
    "file",
    "model",
    "response_format",
    "language",
    "languages[]",
    "prompt",
    "keywords[]",
    "temperature",
}
LANGUAGE = re.compile(r"[a-z]{2}")
BYTES_MAX = 25 * 1024 * 1024


@dataclass
class OpenAiVoice:
    """A running stand-in; `heard` are the next answers, oldest first."""

    url: str = ""
    asked: list[str] = field(default_factory=list)  # the names of the files that came
    languages: list[list[str]] = field(default_factory=list)  # the hints that came with each
    heard: deque[tuple[str, float | None]] = field(default_factory=deque)
    failing: deque[int] = field(default_factory=deque)  # HTTP statuses to answer with first
    stalled: asyncio.Event | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)  # somebody waits behind `stalled`
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)  # a caller left before the end

    @classmethod
    @asynccontextmanager
    async def started(cls) -> AsyncIterator["OpenAiVoice"]:
        stand_in = cls()
        app = web.Application(client_max_size=2 * BYTES_MAX)
        app.router.add_post("/v1/audio/transcriptions", stand_in._transcribe)
        # Cancels a handler whose caller has gone: that is how a stopped request is noticed.
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        stand_in.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        try:
            yield stand_in
        finally:
            await runner.cleanup()

    async def _transcribe(self, request: web.Request) -> web.Response:
        if request.headers.get("authorization", "") in ("", "Bearer "):
            return _refused(401, "invalid_api_key", "You didn't provide an API key.")
        form = await request.post()
        file = form.get("file")
        if not isinstance(file, web.FileField):
            return _refused(400, "invalid_request_error", "file: Field required")
        self.asked.append(file.filename)
        if unknown := set(form) - FIELDS:
            return _refused(400, "invalid_request_error", f"Unknown parameter: {unknown}")
        if form.get("model") not in MODELS:
            return _refused(404, "model_not_found", f"The model {form.get('model')} does not exist")
        if file.filename.rpartition(".")[2] not in ENDINGS:
            return _refused(400, "invalid_request_error", "Unrecognized file format.")
        hints = [str(hint) for hint in form.getall("languages[]", [])]
        if not all(LANGUAGE.fullmatch(hint) for hint in hints):
            return _refused(400, "invalid_request_error", f"Invalid language: {hints}")
        self.languages.append(hints)
        body = file.file.read()
        file.file.close()
        if not body or len(body) > BYTES_MAX:
            return _refused(400, "invalid_request_error", "Audio file might be corrupted or unsupported")
        if self.failing:
            return _refused(self.failing.popleft(), "server_error", "The server had an error")
        if self.stalled is not None:
            self.reached.set()
            try:
                await self.stalled.wait()
            except asyncio.CancelledError:
                self.disconnected.set()
                raise
        text, seconds = self.heard.popleft() if self.heard else ("Words that were said", 3.2)
        usage = {} if seconds is None else {"usage": {"type": "duration", "seconds": seconds}}
        return web.json_response({"text": text, "languages": [{"code": "en"}], **usage})


def _refused(status: int, kind: str, message: str) -> web.Response:
    error = {"message": message, "type": kind, "param": None, "code": None}
    return web.json_response({"error": error}, status=status)
