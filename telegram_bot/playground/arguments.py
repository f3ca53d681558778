"""From an HTTP request to one of aiogram's method objects, or to Telegram's refusal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, TypeVar, get_args

from aiogram.client.default import Default
from aiogram.methods import TelegramMethod
from aiohttp import web
from pydantic import BaseModel, ValidationError

from telegram_bot.playground.attached import Attached
from telegram_bot.playground.errors import Refused, bad_request, too_large
from telegram_bot.playground.files import UPLOAD_MAX_BYTES
from telegram_bot.playground.shapes import Json, Upload, Uploads

M = TypeVar("M", bound=TelegramMethod[Any])

FORM_TYPES: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
# Arguments aiogram types as InputFile and nothing else.
FILES_ONLY: Final = frozenset({"thumbnail", "certificate"})
# What belongs to businesses, channels, groups and inline mode; ignoring it would hide a mistake.
UNSUPPORTED: Final = frozenset(
    {
        "business_connection_id",
        "direct_messages_topic_id",
        "suggested_post_parameters",
        "ephemeral_message_parameters",
        "receiver_user_id",
        "inline_message_id",
        "allow_paid_broadcast",
    }
)
# Where the stand-in does know them.
SUPPORTED: Final = {
    "sendMessage": frozenset({"ephemeral_message_parameters"}),
    "editMessageText": frozenset({"inline_message_id"}),
    "deleteEphemeralMessage": frozenset({"receiver_user_id"}),
    "editEphemeralMessageText": frozenset({"receiver_user_id"}),
}
# Arguments aiogram requires and, when they are empty, leaves out.
EMPTY: Final[dict[str, Json]] = {"setWebhook": {"url": ""}}
# telegram-bot-api Client.cpp: what it says when a required argument is absent.
MISSING: Final = {
    "chat_id": "chat_id is empty",
    "text": "message text is empty",
    "message_id": "message identifier is not specified",
    "message_ids": "message identifiers are not specified",
    "callback_query_id": "query_id is not specified",
    "file_id": "file_id is not specified",
    "photo": "there is no photo in the request",
    "document": "there is no document in the request",
    "animation": "there is no animation in the request",
    "voice": "there is no voice in the request",
    "audio": "there is no audio in the request",
    "video": "there is no video in the request",
    "action": "wrong parameter action in request",
}
# telegram-bot-api Client.cpp: what it calls an argument whose JSON cannot be read.
UNREADABLE: Final = {
    "reply_markup": "can't parse reply keyboard markup JSON object",
    "entities": "can't parse entities JSON object",
    "caption_entities": "can't parse entities JSON object",
    "reply_parameters": "can't parse reply parameters JSON object",
    "link_preview_options": "can't parse link preview options JSON object",
    "media": "can't parse media JSON object",
    "commands": "can't parse commands JSON object",
    "rich_message": "can't parse rich message JSON object",
}


async def read(request: web.Request) -> tuple[Json, Uploads]:
    """The arguments and files of a call, from the query string and a JSON, urlencoded or multipart body."""
    arguments: Json = dict(request.query)
    uploads: Uploads = {}
    if not request.can_read_body:
        return arguments, uploads
    try:
        if request.content_type == "application/json":
            body = json.loads(await request.text() or "{}")
            if not isinstance(body, dict):
                raise bad_request("can't parse request body JSON: expected an Object")
            return arguments | body, uploads
        if request.content_type not in FORM_TYPES:
            return arguments, uploads
        for key, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                uploads[key] = Upload(value.filename, value.content_type, value.file.read())
                value.file.close()
            else:
                arguments[key] = value
    except web.HTTPRequestEntityTooLarge as error:
        raise too_large() from error
    except ValueError as error:
        raise bad_request("can't parse request body") from error
    if any(len(upload.body) > UPLOAD_MAX_BYTES for upload in uploads.values()):
        raise too_large()
    return arguments, uploads


def build(kind: type[M], arguments: Json, uploads: Uploads) -> M:
    """The validated method; a file uploaded under an argument's own name counts as that argument."""
    fields = kind.model_fields
    unknown = sorted(arguments.keys() - fields.keys())
    if unknown:
        # Telegram itself would ignore it, and the author of the call would never learn of the slip.
        raise bad_request(f"{kind.__api_method__} has no parameter {unknown[0]!r}")
    unsupported = sorted(arguments.keys() & UNSUPPORTED - SUPPORTED.get(kind.__api_method__, frozenset()))
    if unsupported:
        raise bad_request(f"this stand-in does not support {unsupported[0]}")
    given = {name: _decoded(fields[name].annotation, name, value) for name, value in arguments.items()}
    given |= {name: f"attach://{name}" for name in uploads if name in fields and name not in given}
    given = EMPTY.get(kind.__api_method__, {}) | _with_files(given)
    try:
        method = kind.model_validate(given)
    except ValidationError as error:
        raise _refusal(error, kind) from error
    for path, extra in _extras(method, ""):
        raise bad_request(f"{kind.__api_method__} has no parameter {path + extra!r}")
    for name in fields:
        if isinstance(getattr(method, name), Default):
            setattr(method, name, None)
    return method


def as_json(value: BaseModel | Default) -> Json:
    """A Bot API object as it came, without what was not given."""
    if isinstance(value, Default):
        return {}
    return value.model_dump(
        mode="json", by_alias=True, exclude_unset=True, exclude_none=True, fallback=lambda file: file.name
    )


def _decoded(annotation: Any, name: str, value: Any) -> Any:
    """Everything but plain strings comes JSON-serialized in forms."""
    if not isinstance(value, str) or _takes_text(annotation):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        if value[:1] in ("{", "[") or name in UNREADABLE:
            raise _unreadable(name) from error
        return value


def _with_files(value: Any) -> Any:
    """The same arguments with an object for every file that may not be given as a text."""
    if isinstance(value, list):
        return [_with_files(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: Attached(item) if name in FILES_ONLY and isinstance(item, str) else _with_files(item)
        for name, item in value.items()
    }


def _takes_text(annotation: Any) -> bool:
    return annotation is str or any(argument is str for argument in get_args(annotation))


def _unreadable(name: str) -> Refused:
    return bad_request(UNREADABLE.get(name, f"can't parse {name} JSON object"))


def _refusal(error: ValidationError, kind: type[TelegramMethod[Any]]) -> Refused:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "missing" and len(first["loc"]) == 1:
        return bad_request(MISSING.get(name, f"parameter {name!r} of {kind.__api_method__} is required"))
    if name == "chat_id":
        return bad_request("chat_id is empty" if first.get("input") in (None, "") else "chat not found")
    where = ".".join(str(step) for step in first["loc"])
    return bad_request(f"{UNREADABLE.get(name, f'wrong parameter {name}')}: {where}: {first['msg']}")


def _extras(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Fields, at any depth, that aiogram's type does not know."""
    if isinstance(value, BaseModel):
        for extra in value.model_extra or {}:
            yield path, extra
        for name in value.model_fields_set & type(value).model_fields.keys():
            yield from _extras(getattr(value, name), f"{path}{name}.")
    elif isinstance(value, list):
        for item in value:
            yield from _extras(item, path)
