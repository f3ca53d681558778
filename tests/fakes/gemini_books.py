"""What the Gemini stand-in counts and remembers: tokens, the implicit cache, and whose a signature is."""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

SECRET = b"the stand-in signs with this"
SKIP = b"skip_thought_signature_validator"  # Google's own word for "made by somebody else"
TOKEN_BYTES = 4  # of JSON; the same text always counts the same
CACHE_MIN = 1024  # tokens; a shorter prefix is not cached


@dataclass
class Bill:
    """What one request costs, in the API's own terms."""

    prompt: int
    cached: int = 0  # of the prompt
    tool_use: int = 0
    candidates: int = 0
    thoughts: int = 0
    searches: int = 0


@dataclass
class Books:
    """The implicit caches of all models: the digests of every prefix that was seen."""

    seen: set[tuple[str, str]] = field(default_factory=set)

    def bill(self, model: str, head: Json, contents: list[Json]) -> Bill:
        digest = hashlib.sha256(_canonical(head).encode()).hexdigest()
        total, cached = tokens_of(_canonical(head)), 0
        for content in contents:
            digest = hashlib.sha256(f"{digest}{_canonical(content)}".encode()).hexdigest()
            total += tokens_of(_canonical(content))
            if (model, digest) in self.seen:
                cached = total
            self.seen.add((model, digest))
        return Bill(total, cached if cached >= CACHE_MIN else 0)


def tokens_of(text: str) -> int:
    return -(-len(text.encode()) // TOKEN_BYTES)


def sign(model: str, part: Json) -> str:
    """The signature of a part that this model made, in the alphabet that has + and / in it."""
    label = f"{model}|{_seal(model, part)}\xfb\xff"  # so that the two alphabets of base64 differ
    return base64.b64encode(label.encode("latin-1")).decode()


def is_signed(model: str, part: Json) -> bool:
    """Is this the very part that the signature came with? Both alphabets are taken, as protobuf does."""
    given = part["thoughtSignature"].replace("-", "+").replace("_", "/")
    try:
        label = base64.b64decode(given, validate=True)
    except binascii.Error:
        return False
    return label == SKIP or given == sign(model, part)


def _seal(model: str, part: Json) -> str:
    """Over the part as it was made: an id may be given to a call later, and empty arguments left out."""
    bare = {name: value for name, value in part.items() if name != "thoughtSignature"}
    if call := bare.get("functionCall"):
        bare["functionCall"] = {"name": call["name"], "args": call.get("args", {})}
    return hmac.new(SECRET, f"{model}{_canonical(bare)}".encode(), "sha256").hexdigest()[:32]


def _canonical(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
