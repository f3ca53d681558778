"""What the OpenAI stand-in counts and remembers: tokens, prompt caches, and what followed which reasoning."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

SECRET = b"the stand-in encrypts with this"  # constant: reasoning outlives a restarted stand-in
TOKEN_BYTES = 4  # of JSON; the same text always counts the same
FRAME_TOKENS = 3  # what no cache holds: never zero in a real report


@dataclass
class Bill:
    """What one call costs, in the API's own terms: `input` holds what was cached and written."""

    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    reasoning: int = 0


@dataclass
class Books:
    """The prompt caches, and the reasoning that each item came out of."""

    cached: set[str] = field(default_factory=set)
    reasons: dict[str, str] = field(default_factory=dict)  # id of an item: id of its reasoning

    def bill(self, head: Any, rows: Sequence[Any], *, writes: bool) -> Bill:
        """Count a prompt against the caches, then write it to them."""
        digest = hashlib.sha256(json.dumps(head).encode())
        total = read = tokens_of(json.dumps(head))
        if digest.hexdigest() not in self.cached:
            read = 0
        marks = [digest.hexdigest()]
        for row in rows:
            text = json.dumps(row)
            digest.update(text.encode())
            total += tokens_of(text)
            marks.append(digest.hexdigest())
            if marks[-1] in self.cached:
                read = total
        self.cached.update(marks)
        return Bill(total + FRAME_TOKENS, read, total - read if writes else 0)


def tokens_of(text: str) -> int:
    return -(-len(text.encode("utf-8", "surrogatepass")) // TOKEN_BYTES)


def encrypted(reasoning_id: str, summaries: Sequence[str]) -> str:
    """The reasoning as only the stand-in can read it."""
    words = json.dumps([reasoning_id, list(summaries)]).encode()
    return f"gAAAAA{hmac.new(SECRET, words, hashlib.sha256).hexdigest()}"
