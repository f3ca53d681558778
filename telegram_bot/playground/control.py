"""/control/*: what tests and demonstrations do to the service itself."""

from __future__ import annotations

from aiohttp import web

from telegram_bot.playground.calls import CallLog
from telegram_bot.playground.shapes import Json
from telegram_bot.playground.state import State


class Control:
    """Handlers of /control/*."""

    def __init__(self, state: State, log: CallLog) -> None:
        self._state = state
        self._log = log

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/control/flood", self.flood)
        app.router.add_post("/control/fail", self.fail)
        app.router.add_post("/control/updates", self.updates)
        app.router.add_get("/control/calls", self.calls)
        app.router.add_post("/control/abilities", self.abilities)

    async def flood(self, request: web.Request) -> web.Response:
        body = await _object(request)
        self._state.limits.flood(_number(body, "chat"), _number(body, "seconds"), body.get("methods"))
        return web.json_response({})

    async def fail(self, request: web.Request) -> web.Response:
        body = await _object(request)
        self._state.limits.fail(
            str(body.get("method")),
            _number(body, "status"),
            str(body.get("description") or ""),
            _number({"times": 1} | body, "times"),
            body.get("retry_after"),
        )
        return web.json_response({})

    async def updates(self, request: web.Request) -> web.Response:
        update_id = self._state.updates.push_raw(await _object(request))
        return web.json_response({"update_id": update_id})

    async def abilities(self, request: web.Request) -> web.Response:
        """What the bot's owner switches at @BotFather, such as topics in private chats."""
        body = await _object(request)
        unknown = sorted(body.keys() - self._state.abilities.keys())
        if unknown or not all(isinstance(value, bool) for value in body.values()):
            raise web.HTTPBadRequest(text=f"not abilities of a bot: {unknown}")
        self._state.abilities |= body
        return web.json_response(self._state.abilities)

    async def calls(self, request: web.Request) -> web.Response:
        since = request.query.get("since", "0")
        return web.json_response(
            [call.view() for call in self._log.since(int(since) if since.isdecimal() else 0)]
        )


def _number(body: Json, name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int):
        raise web.HTTPBadRequest(text=f"{name} is missing or not a whole number")
    return value


async def _object(request: web.Request) -> Json:
    try:
        body = await request.json()
    except ValueError as error:
        raise web.HTTPBadRequest(text="the body is not JSON") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="the body is not a JSON object")
    return body
