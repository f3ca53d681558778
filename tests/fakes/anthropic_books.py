"""What the stand-in counts and remembers: tokens, prompt caches, and where a thought belongs."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.anthropic_media import tokens_of_media
from tests.fakes.anthropic_rules import WINDOW, Refused, content_of

Block = dict[str, Any]

SECRET = b"the stand-in signs with this"  # constant: signatures outlive a restarted stand-in
TOKEN_BYTES = 4  # of JSON; the same text always counts the same
FRAME_TOKENS = 3  # what stands behind the last cached block: never zero in a real report


@dataclass(frozen=True)
class Boundary:
    """A place between two blocks: the digest and the size of everything before it."""

    digest: str
    tokens: int


@dataclass
class Bill:
    """What one request costs, in the API's own terms."""

    input_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_5m: int = 0
    cache_1h: int = 0
    output_tokens: int = 0
    web_searches: int = 0

    @property
    def written(self) -> int:
        return self.cache_5m + self.cache_1h


@dataclass
class Books:
    """The prompt caches of all models."""

    cached: set[tuple[str, str]] = field(default_factory=set)

    def bill(self, body: Block) -> Bill:
        """Count a request against the caches, then write its own prefix to them.

        The longest prefix that an earlier request marked is read; what follows up to this request's own
        mark is written; the rest is fresh.
        """
        places = boundaries(body)
        total = places[-1].tokens
        if total > WINDOW:
            raise Refused(f"prompt is too long: {total} tokens > {WINDOW} maximum")
        control = body.get("cache_control")
        if not control:
            return Bill(input_tokens=total + FRAME_TOKENS)
        model = body["model"]
        read = max((place.tokens for place in places if (model, place.digest) in self.cached), default=0)
        self.cached.add((model, places[-1].digest))
        written = total - read
        hour = written if control.get("ttl") == "1h" else 0
        return Bill(FRAME_TOKENS, read, written - hour, hour)


def boundaries(body: Block) -> list[Boundary]:
    """Every place between blocks, from behind the tools and the system prompt to the end."""
    head = json.dumps([body.get("system", ""), body.get("tools", [])])
    places = [Boundary(_digest("", head), tokens_of(head))]
    for message in body["messages"]:
        for block in content_of(message):
            places.append(_behind(places[-1], message["role"], block))
    return places


def check_thoughts(body: Block) -> None:
    """Raise Refused unless every thinking block stands behind exactly what it was thought behind."""
    place = boundaries(body | {"messages": []})[-1]
    run = [place.digest]  # where an answer of the present run of assistant messages may have begun
    role_before = ""
    for number, message in enumerate(body["messages"]):
        if message["role"] != "assistant" or role_before != "assistant":
            run = [place.digest]
        role_before = message["role"]
        for index, block in enumerate(content_of(message)):
            if block["type"] == "thinking":
                _check_signature(block, run, body["model"], f"messages.{number}.content.{index}")
            place = _behind(place, message["role"], block)
            run.append(place.digest)


def sign(body: Block, thinking: str) -> str:
    """The signature of a thought that answers this request."""
    prefix = boundaries(body)[-1].digest
    label = f"{body['model']}|{prefix}"
    return base64.b64encode(f"{label}|{_seal(label, thinking)}".encode()).decode()


def tokens_of(text: str) -> int:
    return -(-len(text.encode()) // TOKEN_BYTES)


def _check_signature(block: Block, prefixes: list[str], model: str, place: str) -> None:
    wrong = f"{place}: Invalid `signature` in `thinking` block"
    try:
        signer, prefix, seal = base64.b64decode(block["signature"], validate=True).decode().split("|")
    except ValueError:
        raise Refused(wrong) from None
    if not hmac.compare_digest(seal, _seal(f"{signer}|{prefix}", block["thinking"])):
        raise Refused(f"{wrong}. `thinking` blocks cannot be modified")
    if signer == model and prefix not in prefixes:  # another model's block is dropped without a word
        raise Refused(f"{wrong}. The block is bound to a different conversation")


def _behind(place: Boundary, role: str, block: Block) -> Boundary:
    bare = json.dumps([role, {name: value for name, value in block.items() if name != "cache_control"}])
    looks = tokens_of_media(block)
    return Boundary(_digest(place.digest, bare), place.tokens + (tokens_of(bare) if looks is None else looks))


def _digest(before: str, text: str) -> str:
    return hashlib.sha256(f"{before}{text}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _seal(label: str, thinking: str) -> str:
    return hmac.new(SECRET, f"{label}{thinking}".encode("utf-8", "surrogatepass"), "sha256").hexdigest()[:32]
