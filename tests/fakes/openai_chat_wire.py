"""An answer as compatible servers stream it: chunks of a chat completion, and [DONE]."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.openai_books import Bill, tokens_of
from tests.fakes.openai_script import Item, Refuses, Says, Step, Thought, Use, Words, pieces

DONE = b"data: [DONE]\n\n"


@dataclass
class Telling:
    """One completion on its way out."""

    says: Says
    body: Item
    bill: Bill
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    calls: int = 0
    full: bool = False  # max_tokens reached

    def opening(self) -> Iterator[Item]:
        yield self._chunk({"role": "assistant", "content": ""})

    def step(self, step: Step) -> Iterator[Item]:
        match step:
            case Thought():
                text = "\n\n".join(step.summaries)
                self.bill.reasoning += tokens_of(text)
                for piece in pieces(text, step.piece):
                    self.bill.output += tokens_of(piece)
                    yield self._chunk({step.field: piece})
            case Words():
                for piece in pieces(step.text, step.piece):
                    if not self._spend(piece):
                        break
                    yield self._chunk({"content": piece})
            case Refuses():
                for piece in pieces(step.text, 12):
                    yield self._chunk({"refusal": piece})
            case Use():
                yield from self._call(step)
            case _:
                raise TypeError(f"{step!r} is no part of a completion")

    def closing(self) -> Iterator[Item]:
        """How a completion that was not cut ends: why it stopped, then the counts if it was asked for them."""
        reason = "length" if self.full else self.says.incomplete or ("tool_calls" if self.calls else "stop")
        yield self._chunk({}, reason)
        if self._counts:
            yield self._chunk(None) | {"usage": self._usage()}

    def error(self, code: Any, message: str) -> Item:
        return {"error": {"code": code, "message": message, "type": "server_error", "param": None}}

    @property
    def _counts(self) -> bool:
        return self.says.counts and bool(self.body.get("stream_options", {}).get("include_usage"))

    def _call(self, step: Use) -> Iterator[Item]:
        index, self.calls = self.calls, self.calls + 1
        raw = step.raw
        if raw is None:
            raw = json.dumps(step.arguments) if step.arguments else ""
        call_id = f"call_{secrets.token_hex(12)}" if step.id is None else step.id
        function = {"name": step.name, "arguments": ""}
        yield self._chunk(
            {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]}
        )
        for piece in pieces(raw, step.piece):
            if self._spend(piece):
                yield self._chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})

    def _spend(self, piece: str) -> bool:
        tokens = tokens_of(piece)
        if self.bill.output + tokens > self.body.get("max_tokens", 10**9):
            self.full = True
            return False
        self.bill.output += tokens
        return True

    def _usage(self) -> Item:
        return {
            "prompt_tokens": self.bill.input,
            "completion_tokens": self.bill.output,
            "total_tokens": self.bill.input + self.bill.output,
            "prompt_tokens_details": {"cached_tokens": self.bill.cached},
            "completion_tokens_details": {"reasoning_tokens": self.bill.reasoning},
        }

    def _chunk(self, delta: Item | None, reason: str | None = None) -> Item:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        chunk: Item = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": 1795000000,
            "model": self.body["model"],
            "system_fingerprint": None,
            "choices": [] if delta is None else [choice],
        }
        return chunk | {"usage": None} if self._counts else chunk


def event(body: Item) -> bytes:
    return f"data: {json.dumps(body)}\n\n".encode()
