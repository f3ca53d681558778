"""What one model call said: the fold of its events, and what follows from it. Pure."""

from dataclasses import dataclass, field, replace

from billing.pricing import Usage
from conversations import history
from conversations.contracts import (
    Done,
    Event,
    ProviderError,
    Reason,
    Request,
    TextDelta,
    ThinkingDelta,
)
from conversations.parts import Opaque, Part, Parts, Text, Thinking, ToolCall, text_of


@dataclass(slots=True)
class Reply:
    """The fold of one call's events: everything it said, whole or cut short."""

    parts: list[Part] = field(default_factory=list)
    usage: Usage | None = None
    done: Done | None = None
    open_text: str = ""
    open_thinking: str = ""

    def add(self, event: Event) -> None:
        match event:
            case TextDelta():
                self.open_text += event.text
            case ThinkingDelta():
                self.open_thinking += event.text
            case Text():
                self.open_text = ""
                self.parts.append(event)
            case Thinking():
                self.open_thinking = ""
                self.parts.append(event)
            case ToolCall() | Opaque():
                self.parts.append(event)
            case Usage():
                self.usage = event
            case Done():
                self.done = event

    @property
    def began(self) -> bool:
        """Did anything come that a vendor bills for?"""
        return bool(self.parts or self.open_text or self.open_thinking)

    @property
    def calls(self) -> list[ToolCall]:
        return [part for part in self.parts if isinstance(part, ToolCall)]

    def kept(self) -> Parts:
        """The parts to store. Of a cut stream: the words so far stay; thinking without its signature
        and calls nobody will run are let go, since no vendor takes them back."""
        if self.done is not None:
            return tuple(self.parts)
        kept = [part for part in self.parts if isinstance(part, Text)]
        if self.open_text.strip():
            kept.append(Text(self.open_text))
        return tuple(kept)


def usage_of(request: Request, reply: Reply) -> Usage | None:
    """What a call is charged by: the vendor's report, else a count of what was seen, marked as such.

    None when nothing came: a call that failed before its first output costs nothing.
    """
    if not reply.began:
        return None if reply.done is None else reply.usage
    if reply.done is not None and reply.usage is not None:
        return reply.usage
    output = history.tokens_at_most(text_of(reply.parts) + reply.open_text + reply.open_thinking)
    if reply.usage is not None:
        return replace(reply.usage, output=max(reply.usage.output, output), estimated=True)
    prompt = history.tokens_at_most(request.system, *history.words_of(request.messages))
    return Usage(input=prompt, output=output, estimated=True)


def failure_of(reply: Reply, error: ProviderError | None, *, first: bool) -> str:
    """The key of the sentence a person gets about this call, or nothing.

    A call that was stopped has no `done` and no error: whoever stopped it says so.
    """
    if error is not None:
        return error.key
    if reply.done is None:
        return ""
    match reply.done.reason:
        case Reason.REFUSAL:
            return "refused"
        case Reason.CONTEXT:
            return "context"
        case Reason.PAUSE:
            return ""
    silent = not reply.calls and not text_of(reply.parts).strip()
    return "empty" if first and silent else ""
