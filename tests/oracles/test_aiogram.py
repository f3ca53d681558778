"""aiogram, which was written against the real Telegram, reads everything our stand-in says."""

from typing import Any

from aiogram.methods import Response, TelegramMethod

from telegram_bot.playground.methods import METHODS
from tests.oracles.asking import Asked, requests
from tests.playground.unknown import unknown

RETURNED: dict[str, type[TelegramMethod[Any]]] = {name: entry.kind for name, entry in METHODS.items()}


async def test_aiogram_accepts_every_answer_and_knows_every_field(ours: list[Asked]) -> None:
    wrong = {asked.name: found for asked in ours if (found := strange(asked))}
    assert wrong == {}


async def test_a_refusal_has_its_status_in_the_body_too(ours: list[Asked]) -> None:
    refused = [asked for asked in ours if asked.outcome != "ok"]
    assert len(refused) > 40
    for asked in refused:
        assert asked.answer["error_code"] == asked.status, asked.name
        assert asked.answer["description"], asked.name


def test_an_answer_aiogram_does_not_know_is_seen() -> None:
    chat = {"id": 1001, "type": "private"}
    message = {"message_id": 1, "date": 1, "chat": chat}
    known = Asked("", "sendMessage", 200, {"ok": True, "result": message})
    assert not strange(known)
    extra = Asked("", "sendMessage", 200, {"ok": True, "result": message | {"colour": "red"}})
    assert strange(extra) == ["colour"]


def test_the_shared_calls_cover_every_method_that_needs_no_person_first() -> None:
    asked = {request["method"].lower() for request in requests()}
    # These begin with what a person did: tests/playground/test_every_method.py has somebody do it.
    assert METHODS.keys() - asked == {
        "answerguestquery",
        "deleteephemeralmessage",
        "editephemeralmessagetext",
        "edituserstarsubscription",
    }


def strange(asked: Asked) -> list[str]:
    """The fields of an answer that aiogram does not name; a wrong one raises."""
    method = RETURNED.get(asked.method.lower())
    if method is None or asked.outcome != "ok":
        Response[bool].model_validate(asked.answer)
        return []
    result = Response[method.__returning__].model_validate(asked.answer).result  # type: ignore[name-defined]
    return unknown(result)
