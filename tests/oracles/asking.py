"""The shared calls of requests.toml, asked of one stand-in for Telegram after the other."""

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.playground.pictures import OGG, gif, png

HERE = Path(__file__).resolve().parent
ANNA, FORUM, GROUP = 1001, -1001002, -1001003
FILES = {
    "png": ("a.png", png(9, 9)),
    "strip": ("a.png", png(2100, 100)),
    "gif": ("a.gif", gif(9, 9)),
    "ogg": ("a.ogg", OGG),
    "mp3": ("a.mp3", b"ID3"),
    "mp4": ("a.mp4", b"\0\0\0\x18ftypmp42"),
    "txt": ("a.txt", b"words"),
    "empty": ("a.txt", b""),
}
MANY_COMMANDS = [{"command": f"c{number}", "description": "One of many"} for number in range(101)]

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One call and what the stand-in answered, whole."""

    name: str
    method: str
    status: int
    answer: Json

    @property
    def outcome(self) -> str:
        """ "ok", or the number of the error: what a bot decides by."""
        return "ok" if self.answer.get("ok") else str(self.answer.get("error_code", self.status))


@dataclass
class Asking:
    """Makes the calls at one Bot API, and remembers what later ones refer to."""

    http: aiohttp.ClientSession
    root: str  # …/bot<token>
    saved: Json = field(default_factory=lambda: {"many_commands": MANY_COMMANDS})

    async def all(self) -> list[Asked]:
        return [await self.one(request) for request in requests()]

    async def one(self, request: Json) -> Asked:
        body = self._meant(request.get("body", {}))
        body |= {name: "x" * times for name, times in request.get("repeat", {}).items()}
        sent = {"data": _form(body, request["files"])} if "files" in request else {"json": body}
        async with self.http.post(f"{self.root}/{request['method']}", **sent) as response:
            answer = await _json(response)
        if "save" in request:
            # A call that failed leaves an id behind that was never given.
            result = answer.get("result") or {}
            self.saved[request["save"]] = result.get("message_thread_id") or result.get("message_id", 77_777)
        return Asked(request["name"], request["method"], response.status, answer)

    def _meant(self, value: Any) -> Any:
        """The value with what "$name" stands for."""
        if isinstance(value, dict):
            return {name: self._meant(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._meant(inner) for inner in value]
        return self.saved[value[1:]] if isinstance(value, str) and value.startswith("$") else value


def requests() -> list[Json]:
    found: list[Json] = tomllib.loads((HERE / "requests.toml").read_text())["request"]
    return found


def _form(body: Json, files: dict[str, str]) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for name, value in body.items():
        form.add_field(name, value if isinstance(value, str) else json.dumps(value))
    for name, kind in files.items():
        file_name, content = FILES[kind]
        form.add_field(name, content, filename=file_name)
    return form


async def _json(response: aiohttp.ClientResponse) -> Json:
    """The answer, or what a stand-in says that forgets to be a Bot API."""
    try:
        answer = await response.json()
    except (aiohttp.ContentTypeError, ValueError):
        return {"ok": False, "not_json": await response.text()}
    return answer if isinstance(answer, dict) else {"ok": False, "not_an_object": answer}
