"""E2B, as its wire has it: the API that makes sandboxes, and the proxy in front of them.

Written from what e2b 2.63 and e2b-code-interpreter 2.11 send and expect. Both servers listen on one port: the
paths differ, and the proxy tells machines and their ports apart by the headers it knows. It takes nothing that
the real one would refuse: unknown fields, keys and tokens that are missing, machines that are gone or paused.
"""

import asyncio
import contextlib
import json
import re
import secrets
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from tests.fakes.e2b_machine import Machine

KEY = "e2b_0123456789abcdef0123456789abcdef01234567"
TEMPLATE = "code-interpreter-v1"
ENVD, JUPYTER = "49983", "49999"
LIFE_MAX = 3600  # seconds, on the free plan
CREATION = {
    *("templateID", "timeout", "autoPause", "autoPauseMemory", "autoResume", "allow_internet_access"),
    *("network", "metadata", "envVars", "mcp", "iam", "volumeMounts"),
}
NETWORK = {
    *("allowPublicTraffic", "allowOut", "denyOut", "dnsServers", "egressProxy", "maskRequestHost"),
    *("httpsPorts", "rules"),
}
EXECUTION = {"code", "context_id", "language", "env_vars"}
Handler = Callable[["E2BStandIn", web.Request], Awaitable[web.StreamResponse]]


class Refused(Exception):
    """What a request gets instead."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.response = web.json_response({"code": status, "message": message, **more}, status=status)


@dataclass
class E2BStandIn:
    """A running stand-in, with the machines of one account."""

    url: str = ""
    machines: dict[str, Machine] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)  # "METHOD path" of everything, oldest first
    cells: list[str] = field(default_factory=list)  # code that was run
    refused: list[str] = field(default_factory=list)  # what a request did wrong, for tests that expect none
    failing: deque[tuple[str, int]] = field(default_factory=deque)  # beginning of "METHOD path", status
    cut: str = ""  # a message with these words is the last of its stream
    unseen: int = 0  # looks at a new machine before the proxy knows it
    _keys: dict[str, tuple[bytes, str]] = field(default_factory=dict)  # idempotency key → body, machine

    @classmethod
    @asynccontextmanager
    async def started(cls) -> AsyncIterator["E2BStandIn"]:
        stand_in = cls()
        app = web.Application(client_max_size=200 * 1024 * 1024, middlewares=[stand_in._guard])
        app.router.add_post("/v2/sandboxes", stand_in._create)
        app.router.add_get("/v2/sandboxes", stand_in._list)
        app.router.add_post("/v2/sandboxes/{id}/connect", stand_in._connect)
        app.router.add_post("/sandboxes/{id}/timeout", stand_in._timeout)
        app.router.add_delete("/sandboxes/{id}", stand_in._kill)
        app.router.add_get("/health", stand_in._health)
        app.router.add_get("/files", stand_in._download)
        app.router.add_post("/files", stand_in._upload)
        app.router.add_post("/execute", stand_in._execute)
        app.router.add_post("/contexts", stand_in._open_context)
        app.router.add_get("/contexts", stand_in._list_contexts)
        app.router.add_delete("/contexts/{id}", stand_in._close_context)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        stand_in.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield stand_in
        finally:
            for machine in stand_in.machines.values():
                await machine.close()
            await runner.cleanup()

    @property
    def alive(self) -> list[Machine]:
        """Machines that exist, running or paused."""
        for machine in self.machines.values():
            machine.look_at_the_clock()
        return [machine for machine in self.machines.values() if machine.state != "dead"]

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        what = f"{request.method} {request.path}"
        self.asked.append(what)
        for failure in self.failing:
            if what.startswith(failure[0]):
                self.failing.remove(failure)
                return Refused(failure[1], "internal").response
        try:
            return await handler(request)
        except Refused as refused:
            self.refused.append(f"{what}: {refused}")
            return refused.response

    # The API -----------------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.Response:
        self._check_key(request)
        raw = await request.read()
        body = _fields(raw, CREATION, {"templateID"})
        network = _fields(json.dumps(body.get("network", {})).encode(), NETWORK)
        if body["templateID"] != TEMPLATE:
            raise Refused(404, f"template '{body['templateID']}' not found")
        if any(not part.replace("/", "").replace(".", "").isdigit() for part in network.get("denyOut", [])):
            raise Refused(400, "denyOut takes no domain names")
        key = request.headers.get("Idempotency-Key")
        if key and key in self._keys:
            before, machine_id = self._keys[key]
            if before != raw:
                raise Refused(422, "the idempotency key was used with another request")
            return web.json_response(_told(self.machines[machine_id]), status=201)
        machine = Machine(
            secrets.token_hex(10), body.get("metadata", {}), network, body.get("autoPause", False), 0
        )
        machine.live(_life(body))
        self.machines[machine.id] = machine
        if key:
            self._keys[key] = (raw, machine.id)
        return web.json_response(_told(machine), status=201)

    async def _connect(self, request: web.Request) -> web.Response:
        machine = self._owned(request)
        body = _fields(await request.read(), {"timeout", "memory"})
        is_paused = machine.state == "paused"
        machine.live(_life(body), at_least=True)
        return web.json_response(_told(machine), status=201 if is_paused else 200)

    async def _timeout(self, request: web.Request) -> web.Response:
        machine = self._owned(request)
        if machine.state != "running":
            raise Refused(404, f"Sandbox {machine.id} not found")
        machine.live(_life(_fields(await request.read(), {"timeout"}, {"timeout"})))
        return web.Response(status=204)

    async def _kill(self, request: web.Request) -> web.Response:
        self._owned(request).die()
        return web.Response(status=204)

    async def _list(self, request: web.Request) -> web.Response:
        self._check_key(request)
        wanted = dict(parse_qsl(request.query.get("metadata", "")))
        found = [m for m in self.alive if wanted.items() <= m.metadata.items()]
        start = int(request.query.get("nextToken", 0))
        page = found[start : start + (limit := min(int(request.query.get("limit", 100)), 100))]
        headers = {"X-Next-Token": str(start + limit)} if start + limit < len(found) else {}
        return web.json_response([_listed(machine) for machine in page], headers=headers)

    def _check_key(self, request: web.Request) -> None:
        if request.headers.get("X-API-KEY") != KEY:
            raise Refused(401, "Invalid API key")

    def _owned(self, request: web.Request) -> Machine:
        self._check_key(request)
        machine = self.machines.get(request.match_info["id"])
        if machine:
            machine.look_at_the_clock()
        if machine is None or machine.state == "dead":
            raise Refused(404, f"Sandbox {request.match_info['id']} not found")
        return machine

    # The proxy, and what listens behind it -----------------------------------------------------------

    def _reached(self, request: web.Request, port: str) -> Machine:
        """The machine whose port a request is for, which runs and lets it in."""
        machine_id = request.headers.get("E2b-Sandbox-Id", "")
        machine = self.machines.get(machine_id)
        if machine:
            machine.look_at_the_clock()
        if machine is None or machine.state != "running":
            raise Refused(502, "The sandbox was not found", sandboxId=machine_id)
        if request.headers.get("E2b-Sandbox-Port") != port:
            raise Refused(502, "The sandbox is running but port is not open", sandboxId=machine_id)
        return machine

    def _envd(self, request: web.Request) -> Machine:
        machine = self._reached(request, ENVD)
        if request.headers.get("X-Access-Token") != machine.envd_token:
            raise Refused(401, "unauthorized access, please provide a valid access token")
        return machine

    def _jupyter(self, request: web.Request) -> Machine:
        machine = self._reached(request, JUPYTER)
        public = machine.network.get("allowPublicTraffic", True)
        if not public and request.headers.get("E2B-Traffic-Access-Token") != machine.traffic_token:
            raise Refused(403, "Sandbox is secured, a traffic access token is required")
        return machine

    async def _health(self, request: web.Request) -> web.Response:
        if self.unseen:
            self.unseen -= 1
            raise Refused(502, "The sandbox was not found")
        self._envd(request)
        return web.Response(status=204)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        machine = self._envd(request)
        path = machine.place(request.query["path"])
        if not path.is_file():
            raise Refused(404, f"path '{request.query['path']}' does not exist")
        return web.FileResponse(path)

    async def _upload(self, request: web.Request) -> web.Response:
        machine = self._envd(request)
        written = []
        async for part in await request.multipart():
            # aiohttp takes the first slash away; envd takes the whole path.
            named = re.search(r'filename="([^"]*)"', part.headers["Content-Disposition"])
            name = request.query.get("path") or (named[1] if named else "")
            place = machine.place(name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(await part.read())
            written.append({"name": place.name, "type": "file", "path": name})
        return web.json_response(written)

    async def _open_context(self, request: web.Request) -> web.Response:
        machine = self._jupyter(request)
        body = _fields(await request.read(), {"language", "cwd"})
        cwd = body.get("cwd") or "/home/user"
        if not machine.place(cwd).is_dir():
            return web.Response(text="Failed to set working directory", status=500)
        kernel = await machine.kernel(secrets.token_hex(8), cwd)
        return web.json_response({"id": kernel.id, "language": "python", "cwd": cwd})

    async def _list_contexts(self, request: web.Request) -> web.Response:
        machine = self._jupyter(request)
        told = [{"id": id, "language": "python", "cwd": each.cwd} for id, each in machine.kernels.items()]
        return web.json_response(told)

    async def _close_context(self, request: web.Request) -> web.Response:
        machine = self._jupyter(request)
        kernel = machine.kernels.pop(request.match_info["id"], None)
        if kernel is None:
            return web.Response(text=f"Context {request.match_info['id']} not found", status=404)
        kernel.kill()
        return web.Response(status=204)

    async def _execute(self, request: web.Request) -> web.StreamResponse:
        machine = self._jupyter(request)
        body = _fields(await request.read(), EXECUTION, {"code"})
        if request.headers.get("X-Access-Token") != machine.envd_token:
            return web.Response(
                text="Internal Server Error", status=500
            )  # it cannot ask envd for the variables
        wanted = body.get("context_id") or "default"
        if wanted == "default" and wanted not in machine.kernels:
            await machine.kernel("default", "/tmp")
        kernel = machine.kernels.get(wanted)
        if kernel is None:
            return web.Response(text=f"Context {wanted} not found", status=404)
        self.cells.append(body["code"])
        response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
        await response.prepare(request)
        async with contextlib.aclosing(kernel.execute(body["code"])) as messages:
            async for message in messages:
                await response.write(json.dumps(message).encode() + b"\n")
                if self.cut and self.cut in json.dumps(message):
                    self.cut = ""
                    assert request.transport
                    request.transport.abort()
                    return response
                if machine.state != "running":
                    assert request.transport
                    request.transport.abort()
                    return response
        await response.write(b'{"type": "end_of_execution"}\n')
        return response

    async def until(self, look: Callable[[], bool], seconds: float = 15) -> None:
        """Wait for a condition of the stand-in."""
        async with asyncio.timeout(seconds):
            while not look():
                await asyncio.sleep(0.02)


def _fields(raw: bytes, allowed: set[str], needed: set[str] = frozenset()) -> dict[str, Any]:  # type: ignore[assignment]
    try:
        body = json.loads(raw)
    except ValueError:
        raise Refused(400, "request body has an error: failed to decode request body") from None
    if unknown := set(body) - allowed:
        raise Refused(400, f"property {sorted(unknown)} is unsupported")
    if missing := needed - set(body):
        raise Refused(400, f"property {sorted(missing)} is missing")
    return body


def _life(body: dict[str, Any]) -> int:
    seconds = body.get("timeout", 300)
    if type(seconds) is not int or seconds < 0:
        raise Refused(400, "timeout must be a whole number of seconds")
    if seconds > LIFE_MAX:
        raise Refused(400, "Timeout cannot be greater than 1 hours")
    return seconds


def _told(machine: Machine) -> dict[str, Any]:
    return {
        "templateID": TEMPLATE,
        "sandboxID": machine.id,
        "clientID": "6532622b",
        "envdVersion": "0.6.7",
        "envdAccessToken": machine.envd_token,
        "trafficAccessToken": machine.traffic_token,
        "domain": None,
    }


def _listed(machine: Machine) -> dict[str, Any]:
    return {
        "templateID": TEMPLATE,
        "sandboxID": machine.id,
        "clientID": "6532622b",
        "envdVersion": "0.6.7",
        "startedAt": machine.started_at.isoformat(),
        "endAt": machine.ends.isoformat(),
        "cpuCount": 2,
        "memoryMB": 512,
        "diskSizeMB": 10240,
        "state": machine.state,
        "metadata": machine.metadata,
    }
