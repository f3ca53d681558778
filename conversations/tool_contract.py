"""What a tool is, to whoever writes one and to the loop that runs it. Pure: no tables, no network."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Protocol

from conversations.parts import Delivery, File

Earlier = Literal["nothing", "begun", "ended"]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model is told of it; frozen on the thread, so a deploy never changes a prefix."""

    name: str
    description: str
    schema: dict[str, Any]  # JSON Schema of the arguments, an object
    native: bool = False  # only a vendor runs it: told to the models whose `native` names it


@dataclass(frozen=True, slots=True)
class NewFile:
    """Bytes a tool made; the loop stores them and gives them a short id."""

    name: str
    mime: str
    content: bytes


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """Text for the model, files for the person, and what it cost in dollars.

    `files` are new ones; `deliver` names files that the thread has already.
    """

    text: str
    files: tuple[NewFile, ...] = ()
    deliver: tuple[Delivery, ...] = ()
    cost: Decimal = Decimal(0)
    details: Mapping[str, Any] = field(default_factory=dict)  # units and usage behind the cost


class ToolFailed(Exception):
    """The tool could not do it. The model reads the sentence and corrects itself.

    `cost` is what was spent all the same; `details` are the units and usage behind it.
    """

    def __init__(
        self, words: str, *, cost: Decimal = Decimal(0), details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(words)
        self.cost = cost
        self.details = details or {}


class Files(Protocol):
    """The files of one thread, and of no other."""

    async def read(self, file_id: str) -> tuple[File, bytes]:
        """A file and its bytes. Raises ToolFailed, listing the valid ids, when there is none."""
        ...

    async def listing(self) -> Sequence[File]: ...


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool may know: for whom it works, and the thread's files. No Telegram, no wallet, no tables."""

    user_id: int
    thread_id: int
    language: str  # "en" or "ru"
    files: Files
    call: tuple[int, str] = (0, "")  # turn and call id: the same call after a crash is the same work
    tell: Callable[[str], None] = lambda _line: None  # its last line, for the person who waits


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing a model can do: a coroutine and what the loop must know before it runs."""

    name: str
    description: str
    schema: dict[str, Any]
    run: Callable[..., Awaitable[ToolOutput]]  # run(context, **arguments)
    label: Any  # lazy words for the draft while it runs: "Setting a formula"
    icon: str  # one emoji before the label
    # Dollars a call may cost at most, 0 is free; or what says so for its arguments, with a look at the price
    # list: call that off the event loop. It raises ToolFailed for wrong arguments, PriceUnknown for no price.
    price_max: Decimal | Callable[[Mapping[str, Any]], Decimal]
    seconds_max: float
    repeatable: bool  # may run again when a crash left its outcome unknown
    runs_in: Literal["bot", "worker"] = "bot"
    native: bool = False  # a name only, for the vendors that have such a tool of their own
    # What a process before this one has brought about elsewhere of the call (turn, call id). It was let in on the
    # dollars then, so its outcome counts whatever the balance is now. Call it off the event loop.
    earlier: Callable[[tuple[int, str]], Earlier] = lambda _call: "nothing"

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(self.name, self.description, self.schema, self.native)

    def ceiling(self, arguments: Mapping[str, Any]) -> Decimal:
        """Dollars that a call with these arguments may cost at most."""
        return self.price_max(arguments) if callable(self.price_max) else self.price_max
