"""The people's side over HTTP: what the chat page reads and does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web
from multidict import MultiDictProxy

from telegram_bot.playground import contents
from telegram_bot.playground.contents import NotSendable
from telegram_bot.playground.errors import Refused
from telegram_bot.playground.members import GROUP_SCOPES, Member, menu_of
from telegram_bot.playground.people import Impossible, Person, Speaker
from telegram_bot.playground.rooms import PRESENT, Group, Room
from telegram_bot.playground.shapes import Json, Upload
from telegram_bot.playground.state import PrivateChat, Profile, State

# What a browser may show in place; the rest is a download, so an uploaded page cannot run here.
SHOWN_IN_PLACE: Final = ("image/png", "image/jpeg", "image/gif", "image/webp", "audio/", "video/")
SHARED: Final[dict[str, Callable[..., Json]]] = {
    "contact": contents.contact,
    "location": contents.location,
    "venue": contents.venue,
    "poll": contents.poll,
    "dice": contents.dice,
}
HEARTBEAT_SECONDS: Final = 15.0
NEW_TOPIC: Final = "New topic"
DEFAULT_SCOPES: Final = ("all_private_chats", "default")


class People:
    """Handlers of /people/* and /file/{file_id}."""

    def __init__(self, state: State, pages: Path | None) -> None:
        self._state = state
        self._pages = pages

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/people/", self.everybody)
        app.router.add_get("/people/{id:\\d+}/chats", self.chats)
        app.router.add_get("/people/{id:\\d+}/events", self.events)
        app.router.add_post("/people/{id:\\d+}/send", self.send)
        app.router.add_post("/people/{id:\\d+}/share", self.share)
        app.router.add_post("/people/{id:\\d+}/forward", self.forward)
        app.router.add_post("/people/{id:\\d+}/edit", self.edit)
        app.router.add_post("/people/{id:\\d+}/topic", self.topic)
        app.router.add_post("/people/{id:\\d+}/press", self.press)
        app.router.add_post("/people/{id:\\d+}/stop", self.stop)
        app.router.add_post("/people/{id:\\d+}/block", self.block)
        app.router.add_post("/people/{id:\\d+}/invoice", self.invoice)
        app.router.add_post("/people/{id:\\d+}/pay", self.pay)
        app.router.add_post("/people/{id:\\d+}/wallet", self.wallet)
        app.router.add_get("/file/{file_id}", self.file)
        app.router.add_get("/", self.index)
        if self._pages is not None and self._pages.is_dir():
            app.router.add_static("/static/", self._pages)

    async def index(self, _: web.Request) -> web.StreamResponse:
        if self._pages is None or not (self._pages / "index.html").is_file():
            return web.Response(text="The playground runs; its chat page is not installed.")
        return web.FileResponse(self._pages / "index.html", headers={"Cache-Control": "no-store"})

    async def everybody(self, _: web.Request) -> web.Response:
        people = [chat.person for chat in self._state.chats.values()]
        return web.json_response(
            [person.card() | {"language_code": person.language_code} for person in people]
        )

    async def chats(self, request: web.Request) -> web.Response:
        """The chats of a person: the one with the bot, and the groups they are in."""
        chat = self._own_chat(request)
        groups = [
            group
            for group in self._state.groups.values()
            if group.members.get(chat.id) in PRESENT and group.migrated_to is None
        ]
        rooms: list[Room] = [chat, *groups]
        return web.json_response([self._about(room, self._in(room, chat.person)) for room in rooms])

    async def topic(self, request: web.Request) -> web.Response:
        """Open a topic that nobody has named yet."""
        body = await _body(request)
        speaker = self._speaker(request, body)
        chat = speaker.room
        allowed = chat.is_forum if isinstance(chat, Group) else self._state.abilities["has_topics_enabled"]
        if not allowed:
            raise Impossible("there are no topics in this chat")
        topic = self._state.open_topic(
            chat, speaker.profile.user(), NEW_TOPIC, is_name_implicit=not isinstance(chat, Group)
        )
        return web.json_response({"id": topic.id})

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Everything that happens in the chat, as server-sent events, beginning with all there is."""
        speaker = self._speaker(request, {})
        chat = speaker.room
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        with chat.listening(speaker.id) as events:
            snapshot = self._snapshot(speaker)
            await response.prepare(request)
            event: Json | None = snapshot
            try:
                while event is not None:
                    await response.write(f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode())
                    event = await self._next(response, events)
            except ConnectionError:
                return response  # the page was closed
        return response

    @staticmethod
    async def _next(response: web.StreamResponse, events: asyncio.Queue[Json | None]) -> Json | None:
        """The next event; a comment now and then finds out whether anybody still reads."""
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    return await events.get()
            except TimeoutError:
                await response.write(b":\n\n")

    async def edit(self, request: web.Request) -> web.Response:
        body = await _body(request)
        message = await self._speaker(request, body).edit(_number(body, "message_id"), _text(body, "text"))
        return web.json_response({"message_id": message["message_id"]})

    async def send(self, request: web.Request) -> web.Response:
        if request.content_type == "multipart/form-data":
            sent = await self._send_files(request)
        else:
            body = await _body(request)
            quote = str(body.get("quote") or "")
            speaker = self._speaker(request, body)
            sent = [
                await speaker.send(
                    _text(body, "text"), reply_to=body.get("reply_to"), quote=quote, topic=body.get("topic")
                )
            ]
        numbers = [message["message_id"] for message in sent]
        return web.json_response({"message_id": numbers[-1], "message_ids": numbers})

    async def _send_files(self, request: web.Request) -> list[Json]:
        """Several files are an album where the apps would make one; a recording says how long it is."""
        form: MultiDictProxy[Any] = await request.post()
        speaker = self._speaker(request, form)
        uploads = []
        for part in form.getall("file", []):
            if not isinstance(part, web.FileField):
                raise web.HTTPBadRequest(text="a file of the form is no file")
            uploads.append(Upload(part.filename, part.content_type, part.file.read()))
            part.file.close()
        if not uploads:
            raise web.HTTPBadRequest(text="the form has no file")
        caption, kind = str(form.get("caption") or ""), str(form.get("kind") or "") or None
        topic = _whole(form, "topic")
        if len(uploads) > 1:
            return await speaker.send_files(uploads, caption=caption, kind=kind, topic=topic)
        seconds = _whole(form, "duration")
        details = {} if seconds is None else {"duration": seconds}
        reply_to = _whole(form, "reply_to")
        sent = speaker.send_file(
            uploads[0], caption=caption, kind=kind, reply_to=reply_to, topic=topic, **details
        )
        return [await sent]

    async def share(self, request: web.Request) -> web.Response:
        """A contact, a place, a poll or a dice."""
        body = await _body(request)
        speaker = self._speaker(request, body)
        topic = body.pop("topic", None)
        body.pop("chat", None)
        make = SHARED.get(str(body.pop("kind", "")))
        if make is None:
            raise web.HTTPBadRequest(text=f"kind is none of: {', '.join(SHARED)}")
        try:
            content = make(**body)
        except TypeError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        message = await speaker.share(content, topic=topic)
        return web.json_response({"message_id": message["message_id"]})

    async def forward(self, request: web.Request) -> web.Response:
        body = await _body(request)
        message = await self._speaker(request, body).forward(
            _number(body, "message_id"), topic=body.get("topic")
        )
        return web.json_response({"message_id": message["message_id"]})

    async def press(self, request: web.Request) -> web.Response:
        body = await _body(request)
        query_id = await self._speaker(request, body).press(_number(body, "message_id"), _text(body, "data"))
        return web.json_response({"id": query_id})

    async def stop(self, request: web.Request) -> web.Response:
        body = await _body(request)
        await self._person(request).stop(_number(body, "draft_id"))
        return web.json_response({})

    async def block(self, request: web.Request) -> web.Response:
        body = await _body(request)
        await self._person(request).block(bool(body.get("blocked", True)))
        return web.json_response({})

    async def invoice(self, request: web.Request) -> web.Response:
        """What a pay sheet shows: of a message, or of a link."""
        person, of = self._person(request), _invoice_of(await _body(request))
        invoice = person.invoice(of)
        return web.json_response(invoice.view() | {"period": invoice.period, "stars": person.stars})

    async def pay(self, request: web.Request) -> web.Response:
        return web.json_response(await self._person(request).pay(_invoice_of(await _body(request))))

    async def wallet(self, request: web.Request) -> web.Response:
        """The toy side of it: more Stars, another month, money taken back."""
        body = await _body(request)
        person = self._person(request)
        what = _text(body, "what")
        if what == "fill":
            person.fill_wallet(_number(body, "stars"))
            return web.json_response({})
        paid = [charge for charge in person.charges if not charge.is_refunded]
        monthly = [charge for charge in paid if charge.id in self._state.stars.subscriptions]
        chosen = paid if what == "charge_back" else monthly
        if not chosen:
            raise Impossible("there is no such payment")
        if what == "renew":
            person.renew(chosen[-1].id)
        elif what == "charge_back":
            person.charge_back(chosen[-1].id)
        elif what in ("canceled", "active", "failed"):
            person.change_subscription(chosen[-1].id, what)
        else:
            raise Impossible("a wallet cannot do that")
        return web.json_response({})

    async def file(self, request: web.Request) -> web.Response:
        stored = self._state.files.get(request.match_info["file_id"])
        if stored is None:
            raise web.HTTPNotFound(text="no such file")
        shown = stored.mime_type.startswith(SHOWN_IN_PLACE)
        place = "inline" if shown else "attachment"
        headers = {
            "Content-Type": stored.mime_type if shown else "application/octet-stream",
            "Content-Disposition": f"{place}; filename*=UTF-8''{quote(stored.name)}",
            "X-Content-Type-Options": "nosniff",
        }
        return web.Response(body=stored.body, headers=headers)

    def _own_chat(self, request: web.Request) -> PrivateChat:
        chat = self._state.chats.get(int(request.match_info["id"]))
        if chat is None:
            raise web.HTTPNotFound(text="no such person")
        return chat

    def _person(self, request: web.Request) -> Person:
        return Person(self._state, self._own_chat(request))

    def _speaker(self, request: web.Request, body: Mapping[str, Any]) -> Speaker:
        """The person, in the chat that the query or the body names: their own with the bot, or a group of theirs."""
        own = self._own_chat(request)
        named = str(request.query.get("chat") or body.get("chat") or own.id)
        number = int(named) if named.lstrip("-").isdecimal() else 0
        group = self._state.groups.get(number)
        if number != own.id and (group is None or group.members.get(own.id) not in PRESENT):
            raise web.HTTPNotFound(text="no such chat")
        return self._in(own if group is None else group, own.person)

    def _in(self, room: Room, person: Profile) -> Speaker:
        if isinstance(room, Group):
            return Member(self._state, room, person)
        assert isinstance(room, PrivateChat), "a chat is a group or private"
        return Person(self._state, room)

    def _about(self, room: Room, seen_by: Speaker) -> Json:
        """A chat as a list of chats shows it."""
        title = room.title if isinstance(room, Group) else self._state.bot["first_name"]
        about: Json = {"id": room.id, "type": room.shape()["type"], "title": title, "unread": 0}
        about["last"] = next(iter(seen_by.messages[-1:]), None)
        has_topics = self._state.abilities["has_topics_enabled"] and not isinstance(room, Group)
        if has_topics or (isinstance(room, Group) and room.is_forum):
            about["topics"] = [{"id": topic.id, "name": topic.name} for topic in room.topics.values()]
        if isinstance(room, Group):
            present = {person: status for person, status in room.members.items() if status in PRESENT}
            about["members"] = [
                room.people[person].card() | {"status": status} for person, status in present.items()
            ]
            about["bot"] = room.bot
        return about

    def _snapshot(self, speaker: Speaker) -> Json:
        room = speaker.room
        scopes = GROUP_SCOPES if isinstance(room, Group) else DEFAULT_SCOPES
        commands = menu_of(self._state, scopes, speaker.profile.language_code)
        bot = {name: self._state.bot[name] for name in ("first_name", "username")} | {"commands": commands}
        growing = room.draft if isinstance(room, PrivateChat) else None
        drafts = [growing.view()] if growing is not None else []
        snapshot: Json = {"type": "snapshot", "bot": bot, "messages": speaker.messages, "drafts": drafts}
        if isinstance(room, PrivateChat):
            stars = self._state.stars
            snapshot["stars"] = stars.wallet(room.id)
            snapshot["paid"] = [number for number in room.messages if number in stars.paid]
        return snapshot


@web.middleware
async def say_what_is_wrong(request: web.Request, handler: Any) -> web.StreamResponse:
    """Answer 400 with the reason when a person asked for something Telegram's apps would not let them do."""
    try:
        response: web.StreamResponse = await handler(request)
    except (Impossible, NotSendable, Refused) as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    return response


def _invoice_of(body: Json) -> int | str:
    return _text(body, "url") if "url" in body else _number(body, "message_id")


async def _body(request: web.Request) -> Json:
    try:
        body = await request.json()
    except ValueError as error:
        raise web.HTTPBadRequest(text="the body is not JSON") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="the body is not a JSON object")
    return body


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise web.HTTPBadRequest(text=f"{name} is missing or not a text")
    return value


def _whole(form: MultiDictProxy[Any], name: str) -> int | None:
    value = str(form.get(name) or "")
    return int(value) if value.isdecimal() else None


def _number(body: Json, name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int):
        raise web.HTTPBadRequest(text=f"{name} is missing or not a number")
    return value
