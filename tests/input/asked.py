"""What the model was asked, as a test reads it."""

import base64
from typing import Any

from config.aio import in_db
from conversations.models import Message, UserFile
from telegram_bot.playground.shapes import Upload
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Words

Json = dict[str, Any]


def upload(name: str, body: bytes, mime: str = "application/octet-stream") -> Upload:
    return Upload(name, mime, body)


def blocks(claude: AnthropicStandIn, number: int = -1) -> list[Json]:
    """The blocks of the last thing the person said, in a request that was accepted."""
    body = claude.accepted[number].body
    return next(message["content"] for message in reversed(body["messages"]) if message["role"] == "user")


def words(claude: AnthropicStandIn, number: int = -1) -> str:
    return "\n".join(block["text"] for block in blocks(claude, number) if block["type"] == "text")


def looks(claude: AnthropicStandIn, number: int = -1) -> list[tuple[str, bytes]]:
    """The pictures and documents among them: media type and bytes."""
    shown = [block["source"] for block in blocks(claude, number) if block["type"] in ("image", "document")]
    return [(source["media_type"], base64.b64decode(source["data"])) for source in shown]


def answer(claude: AnthropicStandIn, text: str = "Seen.") -> None:
    claude.say(Words(text))


@in_db
def files() -> list[UserFile]:
    return list(UserFile.objects.order_by("pk"))


@in_db
def said() -> list[Message]:
    return list(Message.objects.filter(role="user").order_by("pk"))
