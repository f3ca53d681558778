"""What a test has the Anthropic stand-in say: replies as parts, and everything that can go wrong."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.anthropic_books import Bill

Block = dict[str, Any]


@dataclass(frozen=True)
class Words:
    """A text block, streamed in pieces of `piece` characters."""

    text: str
    piece: int = 12
    citations: tuple[Block, ...] = ()


@dataclass(frozen=True)
class Thought:
    """A thinking block; the stand-in signs it for the conversation it was asked in."""

    text: str
    piece: int = 12


@dataclass(frozen=True)
class Redacted:
    data: str = "EmwKAhgBEgy3va3p"


@dataclass(frozen=True)
class Use:
    """A tool call; `raw` streams JSON of its own instead of `input`, whole or broken."""

    name: str
    input: Block = field(default_factory=dict)
    id: str = ""
    raw: str | None = None
    piece: int = 7


@dataclass(frozen=True)
class ServerUse:
    """A call that the vendor runs itself."""

    name: str
    input: Block
    id: str = "srvtoolu_01A"


@dataclass(frozen=True)
class Raw:
    """A block that comes whole in its opening: a server tool's result, or a kind nobody knows yet."""

    block: Block


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Hold:
    """The stream stands still until the test sets `until`; `reached` tells the test that it does."""

    until: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Ping:
    pass


@dataclass(frozen=True)
class Sent:
    """Any server-sent event, as it stands: kinds that do not exist yet."""

    event: Block


@dataclass(frozen=True)
class Cut:
    """The connection breaks here; `clean` ends the body as if nothing were missing."""

    clean: bool = False


@dataclass(frozen=True)
class ErrorEvent:
    """An error inside a stream that began with HTTP 200."""

    type: str = "overloaded_error"
    message: str = "Overloaded"


Step = Words | Thought | Redacted | Use | ServerUse | Raw | Wait | Hold | Ping | Sent | Cut | ErrorEvent


@dataclass(frozen=True)
class Says:
    """One answer: its parts in order. Without a stop reason it is the one that follows from them."""

    steps: tuple[Step, ...]
    stop_reason: str = ""
    stop_details: Block | None = None
    delay: float = 0.0  # seconds before every piece
    before: float = 0.0  # seconds before the response begins
    web_searches: int = 0
    output_tokens: int | None = None  # counted from the steps unless given
    bill: Bill | None = None  # the input reported, instead of what the stand-in counts
    breakdown: bool = True  # whether usage tells 5 minute writes from 1 hour ones


@dataclass(frozen=True)
class Fails:
    """An HTTP error, before any byte of a stream."""

    status: int
    type: str = ""
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None  # instead of the API's JSON: what a proxy between would say
    details: Block | None = None


Answer = Says | Fails
Script = Callable[[Block], Answer]

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def by_itself(body: Block) -> Answer:
    """What the stand-in says when no test told it: thinking, words, and a formula when one is asked for."""
    last = body["messages"][-1]
    blocks = (
        last["content"] if isinstance(last["content"], list) else [{"type": "text", "text": last["content"]}]
    )
    results = [block for block in blocks if block["type"] == "tool_result"]
    asked = _asked(body["messages"])
    if results:
        return Says((Words("The formula stands above. Its terms are the usual ones.\n"),), delay=0.01)
    tools = {tool["name"] for tool in body.get("tools", ())}
    wants_formula = any(word in asked.lower() for word in ("formula", "формул"))
    thought = Thought("The person asks something. I answer it plainly.")
    if wants_formula and "render_latex" in tools and body.get("tool_choice", {}).get("type") != "none":
        formula = r"I \propto \frac{1}{\lambda^4}"
        return Says(
            (thought, Words("Here is the formula:\n"), Use("render_latex", {"latex": formula})), delay=0.01
        )
    return Says(
        (thought, Words(f"You asked: **{asked[:200]}**\n\nThis is a stand-in for Claude.\n")), delay=0.01
    )


def steady(words: int, seconds: float) -> Script:
    """A script of always the same answer: so many words, evenly over so many seconds."""

    def script(body: Block) -> Answer:
        return Says((Words("word " * words, piece=5),), delay=seconds / words)

    return script


def _asked(messages: list[Block]) -> str:
    for message in reversed(messages):
        if message["role"] == "user":
            content = message["content"]
            if isinstance(content, str):
                return content
            texts = [block["text"] for block in content if block["type"] == "text"]
            if texts:
                return "\n".join(texts)
    return ""
