"""An answer as the Messages API sends it: the exact sequence of server-sent events, or one JSON body."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.fakes.anthropic_books import Bill, tokens_of
from tests.fakes.anthropic_script import (
    Block,
    Raw,
    Redacted,
    Says,
    ServerUse,
    Step,
    Thought,
    Use,
    Words,
)

CALLER = {"type": "direct"}


@dataclass
class Telling:
    """One answer on its way out: what it opened, what it has said, and when it must stop."""

    says: Says
    bill: Bill
    message_id: str
    model: str
    output_max: int
    sign: Callable[[str], str]
    content: list[Block] = field(default_factory=list)
    thinking_tokens: int = 0
    full: bool = False  # max_tokens reached

    def opening(self) -> Block:
        return {"type": "message_start", "message": self.message()}

    def message(self) -> Block:
        """The message object, as message_start carries it."""
        return {
            "id": self.message_id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "usage": self._usage(output=1),
        }

    def step(self, step: Step, number: int) -> Iterator[Block]:
        """The events of one content block: start, deltas, stop."""
        index = len(self.content)
        start, block, deltas = self._block(step, number)
        self.content.append(block)
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
            if self.full:
                break
        yield {"type": "content_block_stop", "index": index}

    def closing(self) -> Iterator[Block]:
        """How an answer that was not cut ends."""
        reason = self.stop_reason
        delta = {"stop_reason": reason, "stop_sequence": None, "stop_details": self.says.stop_details}
        if self.says.output_tokens is not None:
            self.bill.output_tokens = self.says.output_tokens
        self.bill.web_searches = self.says.web_searches
        yield {
            "type": "message_delta",
            "delta": delta,
            "usage": self._usage(output=self.bill.output_tokens, last=True),
        }
        yield {"type": "message_stop"}

    def whole(self) -> Block:
        """The same answer for a request without `stream`."""
        for number, step in enumerate(self.says.steps):
            if not self.full and isinstance(step, Words | Thought | Redacted | Use | ServerUse | Raw):
                for _ in self.step(step, number):
                    pass
        closing = next(self.closing())
        usage = self._usage(output=self.bill.output_tokens)
        return self.message() | closing["delta"] | {"content": self.content, "usage": usage}

    @property
    def stop_reason(self) -> str:
        if self.full:
            return "max_tokens"
        calls = any(block["type"] == "tool_use" for block in self.content)
        return self.says.stop_reason or ("tool_use" if calls else "end_turn")

    def _block(self, step: Step, number: int) -> tuple[Block, Block, Iterator[Block]]:
        """A block as it opens, as it will be when it is whole, and its deltas."""
        match step:
            case Words():
                full: Block = {"type": "text", "text": ""}
                return {"type": "text", "text": ""}, full, self._words(step, full)
            case Thought():
                full = {"type": "thinking", "thinking": "", "signature": ""}
                return dict(full), full, self._thought(step, full)
            case Redacted():
                full = {"type": "redacted_thinking", "data": step.data}
                return full, full, iter(())
            case Use() | ServerUse():
                kind = "tool_use" if isinstance(step, Use) else "server_tool_use"
                call_id = step.id or f"toolu_{self.message_id[4:]}{number}"
                full = {"type": kind, "id": call_id, "name": step.name, "input": step.input, "caller": CALLER}
                return {**full, "input": {}}, full, self._json(step)
            case Raw():
                return step.block, step.block, iter(())
        raise TypeError(f"{step!r} is no content block")

    def _words(self, step: Words, full: Block) -> Iterator[Block]:
        for piece in _pieces(step.text, step.piece):
            if not self._spend(piece):
                return
            full["text"] += piece
            yield {"type": "text_delta", "text": piece}
        for citation in step.citations:
            full.setdefault("citations", []).append(citation)
            yield {"type": "citations_delta", "citation": citation}

    def _thought(self, step: Thought, full: Block) -> Iterator[Block]:
        for piece in _pieces(step.text, step.piece):
            if not self._spend(piece):
                return  # cut in the middle: no signature
            self.thinking_tokens += tokens_of(piece)
            full["thinking"] += piece
            yield {"type": "thinking_delta", "thinking": piece}
        full["signature"] = self.sign(step.text)
        yield {"type": "signature_delta", "signature": full["signature"]}

    def _json(self, step: Use | ServerUse) -> Iterator[Block]:
        raw = step.raw if isinstance(step, Use) and step.raw is not None else None
        if raw is None:
            raw = json.dumps(step.input) if step.input else ""
        yield {"type": "input_json_delta", "partial_json": ""}
        for piece in _pieces(raw, step.piece if isinstance(step, Use) else 7):
            if not self._spend(piece):
                return
            yield {"type": "input_json_delta", "partial_json": piece}

    def _spend(self, piece: str) -> bool:
        """Count a piece against max_tokens; False when it no longer fits."""
        tokens = tokens_of(piece)
        if self.bill.output_tokens + tokens > self.output_max:
            self.full = True
            return False
        self.bill.output_tokens += tokens
        return True

    def _usage(self, *, output: int, last: bool = False) -> Block:
        """What message_start and message_delta report: the second is cumulative and knows no breakdown."""
        usage: Block = {
            "input_tokens": self.bill.input_tokens,
            "cache_creation_input_tokens": self.bill.written,
            "cache_read_input_tokens": self.bill.cache_read_input_tokens,
            "output_tokens": output,
        }
        if last:
            usage["output_tokens_details"] = {"thinking_tokens": self.thinking_tokens}
            if self.bill.web_searches:
                usage["server_tool_use"] = {
                    "web_search_requests": self.bill.web_searches,
                    "web_fetch_requests": 0,
                }
            return usage
        if self.says.breakdown:
            usage["cache_creation"] = {
                "ephemeral_5m_input_tokens": self.bill.cache_5m,
                "ephemeral_1h_input_tokens": self.bill.cache_1h,
            }
        return usage | {"service_tier": "standard", "inference_geo": "global"}


def event(body: Block) -> bytes:
    return f"event: {body['type']}\ndata: {json.dumps(body)}\n\n".encode()


def error_body(kind: str, message: str, request_id: str, details: Block | None = None) -> Block:
    error: Block = {"type": kind, "message": message}
    if details:
        error["details"] = details
    return {"type": "error", "error": error, "request_id": request_id}


def _pieces(text: str, size: int) -> Iterator[str]:
    for start in range(0, len(text), size):
        yield text[start : start + size]
