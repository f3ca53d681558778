"""The ways Telegram says no, in its own words."""

from __future__ import annotations

from telegram_bot.playground.shapes import Json


class Refused(Exception):
    """A call Telegram answers with ok=false; `str()` of it is the description."""

    def __init__(
        self,
        status: int,
        description: str,
        *,
        retry_after: int | None = None,
        migrate_to_chat_id: int | None = None,
    ) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.retry_after = retry_after
        self.migrate_to_chat_id = migrate_to_chat_id

    def answer(self) -> Json:
        """The body of the HTTP answer."""
        body: Json = {"ok": False, "error_code": self.status, "description": self.description}
        if self.retry_after is not None:
            body["parameters"] = {"retry_after": self.retry_after}
        if self.migrate_to_chat_id is not None:
            body["parameters"] = {"migrate_to_chat_id": self.migrate_to_chat_id}
        return body


def bad_request(words: str) -> Refused:
    return Refused(400, f"Bad Request: {words}")


def unauthorized() -> Refused:
    return Refused(401, "Unauthorized")


def forbidden(words: str) -> Refused:
    return Refused(403, f"Forbidden: {words}")


def method_not_found() -> Refused:
    return Refused(404, "Not Found: method not found")


def conflict(words: str) -> Refused:
    return Refused(409, f"Conflict: {words}")


def too_large() -> Refused:
    return Refused(413, "Request Entity Too Large")


def too_many_requests(seconds: int) -> Refused:
    return Refused(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
