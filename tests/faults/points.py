"""The named points of a turn at which the bot is killed, and how each is reached from outside."""

from dataclasses import dataclass

from tests.faults.telegram import AFTER, BEFORE
from tests.faults.wire import Moment


@dataclass(frozen=True)
class Point:
    """One place in a turn. Exactly one of the ways to it is given."""

    name: str
    commit: tuple[str, Moment] | None = None  # a transaction of the turn, held by the wire
    call: tuple[str, str] | None = None  # a call of Telegram's, held there
    model: str = ""  # what Claude has said when it stands still: see Model
    tool: bool = False  # the formula's process stands still
    draws: bool = False  # the turn calls render_latex
    follows: bool = False  # a second message waits while the turn runs
    blocks_intake: bool = False  # nobody else's update comes in any more
    twice: str = ""  # what may be seen twice: Telegram had it, and we did not know

    @property
    def key(self) -> str:
        return self.name.replace(" ", "-").replace(",", "")


POINTS = (
    Point("update not stored", commit=("stored", Moment.BEFORE), blocks_intake=True),
    Point("update stored, unheard", commit=("stored", Moment.AFTER), blocks_intake=True),
    Point("turn not claimed", commit=("claimed", Moment.BEFORE)),
    Point("turn claimed, unheard", commit=("claimed", Moment.AFTER)),
    Point("model asked", model="asked"),
    Point("mid-stream", model="middle"),
    Point("all words, no end", model="end"),
    Point("step not kept", commit=("said", Moment.BEFORE)),
    Point("step kept, unheard", commit=("said", Moment.AFTER)),
    Point("calls kept, unheard", commit=("said", Moment.AFTER), draws=True),
    Point("tool runs", tool=True, draws=True),
    Point("tool runs, a message waits", tool=True, draws=True, follows=True),
    Point("result not kept", commit=("result", Moment.BEFORE), draws=True),
    Point("result kept, unheard", commit=("result", Moment.AFTER), draws=True),
    Point("picture on its way", call=("sendPhoto", BEFORE), draws=True),
    Point("picture sent, unheard", call=("sendPhoto", AFTER), draws=True, twice="picture"),
    Point("second call mid-stream", model="second", draws=True),
    Point("answer on its way", call=("sendMessage", BEFORE)),
    Point("answer sent, unheard", call=("sendMessage", AFTER), twice="answer"),
    Point("turn not finished", commit=("finished", Moment.BEFORE), twice="answer"),
    Point("turn finished, unheard", commit=("finished", Moment.AFTER)),
    Point("finished, a message waits", commit=("finished", Moment.AFTER), model="follow", follows=True),
)
BY_KEY = {point.key: point for point in POINTS}
