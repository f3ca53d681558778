"""What the contract suite needs of a vendor's stand-in, in words that belong to no vendor.

Each provider `conversations/providers/<name>.py` has its own `tests/providers/harness_<name>.py` with a
class `Harness`; with it the provider is in every test of test_contract.py. One that speaks two wires has
a second harness, `harness_<name>_<wire>.py`, and is in every test twice.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Any, Protocol, Self, TypeVar

from billing.pricing import Usage
from conversations.contracts import Model, Request, RequestMessage, ToolSpec
from conversations.parts import Part, Text
from conversations.reply import Reply

Test = TypeVar("Test", bound=Callable[..., Any])


class Scenario(StrEnum):
    """A situation that a vendor's stand-in can be put into."""

    TEXT = "some words, nothing else"
    EARLY_USAGE = "the prompt's tokens, counted before the first word"
    THINKING = "thinking, then words"
    CALL = "words, then one tool call with arguments"
    TWO_CALLS = "two tool calls in one answer"
    NO_PARAMETERS = "a call of a tool without parameters"
    BROKEN_ARGUMENTS = "a call whose JSON does not parse"
    LENGTH = "an answer that does not fit output_max"
    PAUSE = "the vendor pauses inside a tool of its own"
    REFUSAL = "the model refuses"
    STOP = "a long answer, left in the middle"
    LIMITED = "429 with a time to wait, then an answer"
    LIMITED_LONG = "429 that names ten minutes"
    OVERLOADED = "529, then an answer"
    UNAVAILABLE = "503, then an answer"
    OVERLOADED_FOR_GOOD = "529 at every try"
    NO_CONNECTION = "nobody listens"
    LATE_ERROR = "an error after HTTP 200 and some words"
    EARLY_ERROR = "an error after HTTP 200 before anything, then an answer"
    CUT = "the connection breaks in the middle"
    CUT_CLEANLY = "the stream ends in the middle as if it were whole"
    WRONG_KEY = "the key is not taken"
    TOO_LONG = "a history larger than the window"
    CONVERSATION = "ten turns, each with thinking, a tool and words"
    LISTENS = "any request is answered with some words"


def in_scenario(scenario: Scenario) -> Callable[[Test], Test]:
    """Mark a contract test with the scenario it sets up; conftest.py runs it for every provider able to."""

    def mark(test: Test) -> Test:
        test.scenario = scenario  # type: ignore[attr-defined]
        return test

    return mark


class Harness(Protocol):
    """One vendor's stand-in, put into scenarios."""

    model: Model
    cannot: Mapping[Scenario, str]  # what this vendor has not, and why: nothing is left out in silence

    def opened(self, settings: Any) -> AbstractAsyncContextManager[Self]:
        """The stand-in listening, and the provider pointed at it."""
        ...

    def set_up(self, scenario: Scenario) -> Request:
        """Make the stand-in answer so, and give a request that brings it about."""
        ...

    @property
    def tries(self) -> int:
        """How many calls reached the vendor."""
        ...

    def billed(self, request: Request, reply: Reply) -> Usage:
        """What the vendor charges for its last call, by the vendor's own count."""
        ...

    async def left(self) -> None:
        """Return once the vendor has seen that nobody reads its answer any more."""
        ...

    def prefixes(self) -> Sequence[Sequence[bytes]]:
        """The messages of every call so far, each as the bytes that went over the wire."""
        ...


FORMULA = ToolSpec(
    "render_latex",
    "Draw a formula.",
    {"type": "object", "properties": {"latex": {"type": "string"}}, "required": ["latex"]},
)
CLOCK = ToolSpec("clock", "Tell the time.", {"type": "object", "properties": {}})


def user(*parts: Part | str) -> RequestMessage:
    return RequestMessage("user", tuple(Text(part) if isinstance(part, str) else part for part in parts))


def assistant(*parts: Part | str) -> RequestMessage:
    return RequestMessage("assistant", tuple(Text(part) if isinstance(part, str) else part for part in parts))


def system(text: str) -> RequestMessage:
    return RequestMessage("system", (Text(text),))


def asks(
    *messages: RequestMessage | str, output_max: int = 4000, tools: Sequence[ToolSpec] = (FORMULA, CLOCK)
) -> Request:
    """A request with these messages; a string is the person's."""
    whole = tuple(user(message) if isinstance(message, str) else message for message in messages)
    return Request("Be brief.", whole, tuple(tools), output_max)


async def answer(model: Model, request: Request) -> Reply:
    """The fold of one whole call."""
    reply = Reply()
    await fold(reply, model, request)
    return reply


async def fold(reply: Reply, model: Model, request: Request) -> None:
    """Add the events of one call to a reply, which keeps them when the call fails."""
    async for event in model.stream(model, request):
        reply.add(event)
