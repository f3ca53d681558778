"""An answer as streamGenerateContent sends it: the exact sequence of chunks."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from tests.fakes.gemini_books import Bill, sign, tokens_of
from tests.fakes.gemini_script import STATUSES, Json, Raw, Says, Search, Step, Thought, Use, Words


@dataclass
class Telling:
    """One answer on its way out: what it has said, and when it must stop."""

    says: Says
    bill: Bill
    model: str
    output_max: int
    response_id: str | None
    include_thoughts: bool
    parts: list[Json] = field(default_factory=list)  # as they were sent
    searches: list[Search] = field(default_factory=list)
    full: bool = False  # maxOutputTokens reached

    def steps(self) -> Iterator[Step | tuple[Use, ...]]:
        """The steps in order; calls side by side are one."""
        for is_call, run in groupby(self.says.steps, key=lambda step: isinstance(step, Use)):
            if is_call:
                yield tuple(run)
            else:
                yield from run

    def chunks(self, step: Step | tuple[Use, ...]) -> Iterator[Json]:
        match step:
            case tuple():
                parts = [self._call(use) for use in step]
                parts[0] = self._signed(parts[0])
                yield self._chunk(parts)
            case Words():
                yield from self._pieces(step, {})
            case Thought():
                yield from self._pieces(step, {"thought": True})
            case Search():
                self.searches.append(step)
                self.bill.tool_use += step.tokens
                self.bill.searches += len({query for query in step.queries if query})
                tool = {"toolType": "GOOGLE_SEARCH_WEB", "id": f"search_{len(self.searches)}"}
                asked = {"toolCall": {**tool, "args": {"queries": list(step.queries)}}}
                found = {"toolResponse": {**tool, "response": {"search_suggestions": "<div></div>"}}}
                yield self._chunk([self._signed(asked)])
                yield self._chunk([self._signed(found)])
            case Raw():
                yield self._chunk([step.part])

    def closing(self) -> Json:
        """The last chunk: an empty part, signed when it stands behind words, and why it ended."""
        finish = "MAX_TOKENS" if self.full else self.says.finish
        candidate: Json = {"finishReason": finish, "index": 0}
        if finish == "STOP":
            empty: Json = {"text": ""}
            spoke = self.parts and "text" in self.parts[-1] and "thoughtSignature" not in self.parts[-1]
            last = self._signed(empty) if spoke else empty
            candidate["content"] = {"parts": [last], "role": "model"}
            self.parts.append(last)
        if self.searches:
            candidate["groundingMetadata"] = self._grounding()
        return self._envelope({"candidates": [candidate]})

    def blocked(self, reason: str) -> Json:
        return self._envelope({"promptFeedback": {"blockReason": reason}})

    def _call(self, use: Use) -> Json:
        made = f"call_{self.response_id}_{len(self.parts)}_{use.name}_{tokens_of(str(use.args))}"
        call: Json = {"name": use.name}
        if use.args is not None:
            call["args"] = use.args
        if use.id is not None:
            call["id"] = use.id or f"{made}{self.bill.candidates}"
        self.bill.candidates += tokens_of(json.dumps(call))
        return {"functionCall": call}

    def _pieces(self, step: Words | Thought, mark: Json) -> Iterator[Json]:
        starts = range(0, len(step.text), step.piece)
        for start in starts:
            text = step.text[start : start + step.piece]
            tokens = tokens_of(text)
            if self.bill.candidates + self.bill.thoughts + tokens > self.output_max:
                self.full = True
                return
            if mark:
                self.bill.thoughts += tokens
            else:
                self.bill.candidates += tokens
            part: Json = {"text": text, **mark}
            if step.signed and start == starts[-1]:
                part = self._signed(part)
            if not mark or self.include_thoughts:
                yield self._chunk([part])

    def _signed(self, part: Json) -> Json:
        return {**part, "thoughtSignature": sign(self.model, part)}

    def _chunk(self, parts: list[Json]) -> Json:
        self.parts += parts
        return self._envelope({"candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}]})

    def _envelope(self, chunk: Json) -> Json:
        bill = self.bill
        usage = {
            "promptTokenCount": bill.prompt,
            "cachedContentTokenCount": bill.cached,
            "candidatesTokenCount": bill.candidates,
            "thoughtsTokenCount": bill.thoughts,
            "toolUsePromptTokenCount": bill.tool_use,
        }
        counted: Json = {
            name: count for name, count in usage.items() if count
        }  # as protobuf leaves zeros out
        counted["totalTokenCount"] = bill.prompt + bill.tool_use + bill.candidates + bill.thoughts
        counted["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": bill.prompt}]
        whole = {**chunk, "usageMetadata": counted, "modelVersion": self.model}
        return whole if self.response_id is None else {**whole, "responseId": self.response_id}

    def _grounding(self) -> Json:
        pages = [page for search in self.searches for page in search.pages]
        return {
            "searchEntryPoint": {"renderedContent": "<style></style><div>…</div>"},
            "groundingChunks": [{"web": {"uri": uri, "title": title}} for title, uri in pages],
            "groundingSupports": [],
            "webSearchQueries": [query for search in self.searches for query in search.queries],
        }


def event(chunk: Json) -> bytes:
    return f"data: {json.dumps(chunk)}\r\n\r\n".encode()


def error_body(code: int, message: str, status: str = "", details: tuple[Json, ...] = ()) -> Json:
    error: Json = {"code": code, "message": message, "status": status or STATUSES[code]}
    if details:
        error["details"] = list(details)
    return {"error": error}
