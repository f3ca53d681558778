"""An answer as the Responses API streams it: the exact sequence of events, numbered."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.openai_books import Bill, Books, encrypted, tokens_of
from tests.fakes.openai_script import Item, Refuses, Says, Search, Step, Thought, Use, Words, pieces


@dataclass
class Telling:
    """One answer on its way out: what it opened, what it has said, and when it must stop."""

    says: Says
    body: Item
    bill: Bill
    books: Books
    id: str = field(default_factory=lambda: f"resp_{secrets.token_hex(16)}")
    output: list[Item] = field(default_factory=list)
    full: bool = False  # max_output_tokens reached
    number: int = -1
    reasoning_id: str = ""  # what the next items come out of

    def opening(self) -> Iterator[Item]:
        yield self._event("response.created", response=self.response("in_progress"))
        yield self._event("response.in_progress", response=self.response("in_progress"))

    def step(self, step: Step) -> Iterator[Item]:
        """The events of one output item, from added to done."""
        index = len(self.output)
        match step:
            case Thought():
                yield from self._thought(step, index)
            case Words() | Refuses():
                yield from self._message(step, index)
            case Use():
                yield from self._call(step, index)
            case Search():
                yield from self._search(step, index)
            case _:
                raise TypeError(f"{step!r} is no output item")

    def closing(self) -> Iterator[Item]:
        """How an answer that was not cut ends."""
        status = "completed"
        if self.says.failed:
            status = "failed"
        elif self.full or self.says.incomplete:
            status = "incomplete"
        yield self._event(f"response.{status}", response=self.response(status))

    def error(self, code: Any, message: str) -> Item:
        return self._event("error", code=code, message=message, param=None)

    def response(self, status: str) -> Item:
        reason = "max_output_tokens" if self.full else self.says.incomplete
        ended = status != "in_progress"
        shown: Item = {
            "id": self.id,
            "object": "response",
            "created_at": 1795000000,
            "status": status,
            "error": self.says.failed if status == "failed" else None,
            "incomplete_details": {"reason": reason} if status == "incomplete" else None,
            "instructions": self.body.get("instructions"),
            "max_output_tokens": self.body.get("max_output_tokens"),
            "model": self.body["model"],
            "output": self.output if ended else [],
            "parallel_tool_calls": True,
            "reasoning": {"effort": "medium", "summary": "detailed"},
            "store": False,
            "tool_choice": self.body.get("tool_choice", "auto"),
            "tools": self.body.get("tools", []),
            "usage": self._usage() if ended and self.says.counts else None,
        }
        if ended and self.says.web_searches is not None:
            image = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
            shown["tool_usage"] = {
                "image_gen": image,
                "web_search": {"num_requests": self.says.web_searches},
            }
        return shown

    def _usage(self) -> Item:
        bill = self.bill
        return {
            "input_tokens": bill.input,
            "input_tokens_details": {"cached_tokens": bill.cached, "cache_write_tokens": bill.written},
            "output_tokens": bill.output,
            "output_tokens_details": {"reasoning_tokens": bill.reasoning},
            "total_tokens": bill.input + bill.output,
        }

    def _thought(self, step: Thought, index: int) -> Iterator[Item]:
        item: Item = {"id": f"rs_{secrets.token_hex(12)}", "type": "reasoning", "summary": []}
        at = {"item_id": item["id"], "output_index": index}
        started = item | {"encrypted_content": "gAAAAAincomplete", "summary": []}
        yield self._event("response.output_item.added", output_index=index, item=started)
        self.bill.reasoning += tokens_of("".join(step.summaries))
        self.bill.output += tokens_of("".join(step.summaries))
        for number, summary in enumerate(step.summaries):
            place = at | {"summary_index": number}
            empty = {"type": "summary_text", "text": ""}
            yield self._event("response.reasoning_summary_part.added", **place, part=empty)
            for piece in pieces(summary, step.piece):
                yield self._event("response.reasoning_summary_text.delta", **place, delta=piece)
            part = {"type": "summary_text", "text": summary}
            yield self._event("response.reasoning_summary_text.done", **place, text=summary)
            yield self._event("response.reasoning_summary_part.done", **place, part=part)
            item["summary"].append(part)
        if "reasoning.encrypted_content" in self.body.get("include", ()):
            item["encrypted_content"] = encrypted(item["id"], step.summaries)
        self.reasoning_id = item["id"]
        self.output.append(item)
        yield self._event("response.output_item.done", output_index=index, item=item)

    def _message(self, step: Words | Refuses, index: int) -> Iterator[Item]:
        refuses = isinstance(step, Refuses)
        kind, name = ("refusal", "refusal") if refuses else ("output_text", "text")
        item: Item = {"id": self._id("msg"), "type": "message", "status": "in_progress", "role": "assistant"}
        if isinstance(step, Words) and step.phase:
            item["phase"] = step.phase
        at = {"item_id": item["id"], "output_index": index, "content_index": 0}
        empty: Item = {"type": kind, name: ""}
        if not refuses:
            empty |= {"annotations": [], "logprobs": []}
        yield self._event("response.output_item.added", output_index=index, item=item | {"content": []})
        yield self._event("response.content_part.added", **at, part=empty)
        said = ""
        for piece in pieces(step.text, getattr(step, "piece", 12)):
            if not self._spend(piece):
                break
            said += piece
            more = {} if refuses else {"logprobs": [], "obfuscation": "xQz4"}
            yield self._event(f"response.{kind}.delta", **at, delta=piece, **more)
        part = empty | {name: said}
        if isinstance(step, Words):
            part["annotations"] = list(step.citations)
            for number, citation in enumerate(step.citations):
                where = at | {"annotation_index": number, "annotation": citation}
                yield self._event("response.output_text.annotation.added", **where)
        yield self._event(f"response.{kind}.done", **at, **{name: said})
        yield self._event("response.content_part.done", **at, part=part)
        item |= {"status": "incomplete" if self.full else "completed", "content": [part]}
        self.output.append(item)
        yield self._event("response.output_item.done", output_index=index, item=item)

    def _call(self, step: Use, index: int) -> Iterator[Item]:
        raw = step.raw
        if raw is None:
            raw = json.dumps(step.arguments) if step.arguments else "{}"
        call_id = step.id or f"call_{secrets.token_hex(12)}"
        item: Item = {"id": self._id("fc"), "type": "function_call", "status": "in_progress", "arguments": ""}
        item |= {"call_id": call_id, "name": step.name}
        at = {"item_id": item["id"], "output_index": index}
        yield self._event("response.output_item.added", output_index=index, item=item)
        for piece in pieces(raw, step.piece):
            if self._spend(piece):
                yield self._event(
                    "response.function_call_arguments.delta", **at, delta=piece, obfuscation="k"
                )
        done = {"name": step.name, "arguments": raw}
        yield self._event("response.function_call_arguments.done", **at, **done)
        item = item | {"status": "completed", "arguments": raw}
        self.output.append(item)
        yield self._event("response.output_item.done", output_index=index, item=item)

    def _search(self, step: Search, index: int) -> Iterator[Item]:
        actions: Item = {
            "search": {"type": "search", "query": step.query, "queries": [step.query]},
            "open_page": {"type": "open_page", "url": step.query},
        }
        item: Item = {"id": self._id("ws"), "type": "web_search_call", "status": "in_progress"}
        at = {"item_id": item["id"], "output_index": index}
        yield self._event("response.output_item.added", output_index=index, item=item)
        for state in ("in_progress", "searching", "completed"):
            yield self._event(f"response.web_search_call.{state}", **at)
        item = item | {"status": "completed", "action": actions[step.action]}
        self.output.append(item)
        yield self._event("response.output_item.done", output_index=index, item=item)

    def _id(self, kind: str) -> str:
        """An item's id; the first after reasoning is bound to it."""
        own = f"{kind}_{secrets.token_hex(12)}"
        if self.reasoning_id:
            self.books.reasons[own] = self.reasoning_id
        return own

    def _spend(self, piece: str) -> bool:
        """Count a piece against max_output_tokens; False when it no longer fits."""
        tokens = tokens_of(piece)
        if self.bill.output + tokens > self.body.get("max_output_tokens", 10**9):
            self.full = True
            return False
        self.bill.output += tokens
        return True

    def _event(self, kind: str, **fields: Any) -> Item:
        self.number += 1
        return {"type": kind, "sequence_number": self.number, **fields}


def event(body: Item) -> bytes:
    return f"event: {body['type']}\ndata: {json.dumps(body)}\n\n".encode()
