"""The HTTP server: the Bot API, the people's side and the chat page on one local port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from telegram_bot.playground import arguments
from telegram_bot.playground.calls import Call, CallLog
from telegram_bot.playground.control import Control
from telegram_bot.playground.errors import Refused, method_not_found, unauthorized
from telegram_bot.playground.files import DOWNLOAD_MAX_BYTES, UPLOAD_MAX_BYTES
from telegram_bot.playground.guard import only_local
from telegram_bot.playground.limits import Failure
from telegram_bot.playground.members import GroupChat
from telegram_bot.playground.methods import METHODS, Context
from telegram_bot.playground.methods.registry import Entry
from telegram_bot.playground.page import People, say_what_is_wrong
from telegram_bot.playground.people import Person
from telegram_bot.playground.rooms import Group
from telegram_bot.playground.shapes import Lifetimes
from telegram_bot.playground.state import Profile, State

DEFAULT_LIFETIMES: Final = Lifetimes()
HOST: Final = "127.0.0.1"
DEMO_PAGE: Final = Path(__file__).resolve().parents[2] / "templates/playground/starlings.html"
TOKEN: Final = "1000:playground"  # noqa: S105 - accepted by aiogram, opens nothing
FORM_OVERHEAD_BYTES: Final = 1024 * 1024
SHUTDOWN_SECONDS: Final = 1.0
DRAFT_METHODS: Final = frozenset({"sendMessageDraft", "sendRichMessageDraft"})


class Playground:
    """A running stand-in for Telegram; `Playground.started()` is the way to get one."""

    def __init__(
        self,
        token: str = TOKEN,
        *,
        lifetimes: Lifetimes = DEFAULT_LIFETIMES,
        pace: bool = False,
        pages: Path | None = None,
    ) -> None:
        self.state = State(token, lifetimes=lifetimes, pace=pace)
        self.log = CallLog()
        self.url = ""
        self._pages = pages
        self._runner: web.AppRunner | None = None

    @classmethod
    @asynccontextmanager
    async def started(cls, token: str = TOKEN, *, port: int = 0, **options: Any) -> AsyncIterator[Playground]:
        """A playground that listens on 127.0.0.1 (port 0: any free one) until the block ends."""
        playground = cls(token, **options)
        await playground.open(port)
        try:
            yield playground
        finally:
            await playground.close()

    @property
    def token(self) -> str:
        return self.state.token

    @property
    def calls(self) -> list[Call]:
        """Every Bot API call answered so far, oldest first."""
        return self.log.since(0)

    def person(self, person_id: int, *, first_name: str | None = None, language_code: str = "en") -> Person:
        """The person with this id, made on first sight; the bot does not know a new one until they write."""
        profile = Profile(person_id, first_name or f"Person {person_id}", language_code=language_code)
        return Person(self.state, self.state.meet(profile))

    def group(
        self,
        number: int,
        title: str,
        *people: Person,
        kind: str = "supergroup",
        is_forum: bool = False,
        bot: str = "member",
        sees_all: bool = False,
    ) -> GroupChat:
        """A group of these people, the first of whom made it, with the bot in it; nobody is told of its making."""
        group = Group(number, title, self.state.bot["id"], kind, is_forum, bot=bot, sees_all=sees_all)
        self.state.groups[number] = group
        chat = GroupChat(self.state, group)
        for place, person in enumerate(people):
            chat.join(person.profile, "member" if place else "creator")
        return chat

    async def open(self, port: int) -> None:
        """Begin to listen."""
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, port)
        await site.start()
        host, bound = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{bound}"

    async def close(self) -> None:
        """Let everybody who waits go, and stop listening."""
        await self.state.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application(
            middlewares=[only_local, say_what_is_wrong],
            client_max_size=UPLOAD_MAX_BYTES + FORM_OVERHEAD_BYTES,
        )
        app.router.add_route("*", "/bot{token:[^/]*}/{method}", self._bot_api)
        app.router.add_get("/demo/starlings.html", _demo_page)
        app.router.add_get("/file/bot{token:[^/]*}/{path:.+}", self._download)
        People(self.state, self._pages).add_to(app)
        Control(self.state, self.log).add_to(app)
        return app

    async def _bot_api(self, request: web.Request) -> web.Response:
        """Answer one Bot API call, and write it down."""
        call = Call(request.match_info["method"])
        try:
            result = await self._answer(request, call)
            body = {"ok": True, "result": result}
        except Refused as refused:
            call.status, call.description = refused.status, refused.description
            body = refused.answer()
        self.log.add(call)
        if call.status == 0:
            _drop_connection(request)
        return web.json_response(body, status=call.status or 200)

    async def _answer(self, request: web.Request, call: Call) -> Any:
        entry = METHODS.get(call.method.lower())
        if request.match_info["token"] != self.state.token:
            raise unauthorized()
        if entry is None:
            raise method_not_found()
        call.method = entry.name
        call.params, uploads = await arguments.read(request)
        chat_id = str(call.params.get("chat_id", ""))
        call.chat_id = int(chat_id) if chat_id.lstrip("-").isdecimal() else None
        failure = self._meet_failure(call)
        self.state.limits.check(call.method, call.chat_id)
        result = await self._carry_out(entry, call, Context(self.state, uploads))
        if failure is not None:
            call.status, call.description = 0, "connection dropped after the call was carried out"
        return result

    def _meet_failure(self, call: Call) -> Failure | None:
        """Raise the failure a test asked for; one that comes only after the call is returned instead."""
        failure = self.state.limits.failure(call.method)
        if failure is not None and failure.status:
            raise Refused(failure.status, failure.description, retry_after=failure.retry_after)
        return failure

    async def _carry_out(self, entry: Entry, call: Call, context: Context) -> Any:
        if call.method in DRAFT_METHODS and call.chat_id is not None:
            call.hasty = self.state.limits.hasty_drafts(call.chat_id)
        return await entry.handler(context, arguments.build(entry.kind, call.params, context.uploads))

    async def _download(self, request: web.Request) -> web.Response:
        """The bytes behind a file_path."""
        if request.match_info["token"] != self.state.token:
            return web.json_response(unauthorized().answer(), status=401)
        stored = self.state.files.at(request.match_info["path"])
        if stored is None or len(stored.body) > DOWNLOAD_MAX_BYTES:
            return web.json_response(Refused(404, "Not Found").answer(), status=404)
        return web.Response(body=stored.body, content_type="application/octet-stream")


async def _demo_page(_request: web.Request) -> web.StreamResponse:
    """A page for web_fetch to read where there is no internet."""
    return web.FileResponse(DEMO_PAGE)


def _drop_connection(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
