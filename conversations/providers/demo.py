"""The demo model: scripted, honest about it, and needing no network and no key.

It lets a person see the whole house work before they have an account anywhere. What it says is
in demo_words.py; here is how a model says it: thinking first, word by word, with tools and limits.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace
from typing import Any

from django.conf import settings

from billing.pricing import Usage
from conversations.contracts import (
    Done,
    Event,
    Media,
    Model,
    ProviderError,
    Reason,
    Request,
    RequestMessage,
    TextDelta,
    ThinkingDelta,
)
from conversations.parts import File, Text, Thinking, ToolCall, ToolResult, text_of
from conversations.providers import demo_words
from conversations.providers.demo_tools import Known
from conversations.providers.demo_words import Saying

VENDOR = "demo"
TOKENS_PER_SECOND = 60  # as fast as a large model speaks
TOKEN_CHARACTERS = 4  # English prose, roughly; the demo counts by it and is billed by it
WINDOW = 200_000
OUTPUT_MAX = 32_000

# How a cut answer is asked for again; the first is the loop's own sentence.
GO_ON = re.compile(r"\W*(go on|continue|продолж|дальше)", re.IGNORECASE)
SPEAKER = re.compile(r"^\[[^\]\n]*\]: ?", re.MULTILINE)  # a group's mark of who speaks
WORDS = re.compile(r"\s*\S+\s*")  # a word with the space around it: put together they are the text


async def stream(model: Model, request: Request) -> AsyncGenerator[Event, None]:
    """Say what the script has for the last thing asked, at a human pace."""
    prompt = _tokens(request.system) + sum(_size(message) for message in request.messages)
    if prompt > model.window:
        raise ProviderError("context", f"{prompt} tokens > {model.window}")
    yield Usage(input=prompt)
    saying = _saying(request)
    limit = min(request.output_max, model.output_max)
    spent = 0
    if saying.thinking and _tokens(saying.thinking) <= limit // 2:
        for word in _words(saying.thinking):
            spent += await _pace(word)
            yield ThinkingDelta(word)
        yield Thinking(saying.thinking, {VENDOR: {"signed": _digest(saying.thinking)}})
    said = ""
    for word in _words(saying.text):
        if spent + _tokens(word) > limit:
            break
        spent += await _pace(word)
        said += word
        yield TextDelta(word)
    if said:
        yield Text(said)
    reason = Reason.END if said == saying.text else Reason.LENGTH
    if saying.call and request.may_call and reason is Reason.END:
        reason = Reason.TOOLS
        call = _call(request, *saying.call)
        spent += _tokens(json.dumps(call.arguments))
        yield call
    yield Usage(input=prompt, output=max(1, spent))
    yield Done(reason)


def ready() -> bool:
    """The demo needs nothing."""
    return True


async def _pace(word: str) -> int:
    """Wait as long as a model takes for this word; say how many tokens it was."""
    tokens = _tokens(word)
    await asyncio.sleep(tokens / getattr(settings, "DEMO_TOKENS_PER_SECOND", TOKENS_PER_SECOND))
    return tokens


def _saying(request: Request) -> Saying:
    """What to say next: an answer, what follows a tool's result, or the rest of an answer cut short."""
    messages = [message for message in request.messages if message.role != "system"]
    if request.purpose != "answer":
        told = [part.file.id if isinstance(part, Media) else text_of([part]) for part in messages[-1].parts]
        return demo_words.about(request.purpose, told)
    rest = _rest(messages, request)
    return rest or _scripted(messages, request)


def _scripted(messages: Sequence[RequestMessage], request: Request) -> Saying:
    """What the script says after these messages."""
    tools = frozenset(tool.name for tool in request.tools) if request.may_call else frozenset()
    known = _known(messages)
    first = not any(message.role == "assistant" for message in messages)
    last = messages[-1].parts if messages else ()
    results = [part for part in last if isinstance(part, ToolResult)]
    if not results:
        return demo_words.answer(_question(messages), tools, known, first=first)
    saying = demo_words.after(_question(messages[:-1]), results[-1], known)
    if not text_of(last).strip():
        return saying
    more = demo_words.answer(text_of(last), tools, known, first=False)  # written while the tool ran
    return replace(more, text=f"{saying.text}\n\n{more.text}")


def _rest(messages: Sequence[RequestMessage], request: Request) -> Saying | None:
    """What is left of the last answer, when it was cut and the last message only asks to go on."""
    said = ""
    for number in range(len(messages) - 1, -1, -1):
        message = messages[number]
        if message.role == "assistant":
            said = text_of(message.parts) + said
        elif not GO_ON.match(text_of(message.parts)):
            if not said:
                return None
            whole = _scripted(messages[: number + 1], request)
            if not whole.text.startswith(said):
                return None
            rest = whole.text[len(said) :] or ("" if whole.call else demo_words.nothing_left(whole.text))
            return replace(whole, text=rest, thinking="")
    return None


def _question(messages: Sequence[RequestMessage]) -> str:
    """The person's last words, or the names of the files they sent; results are nobody's words."""
    for message in reversed(messages):
        if message.role == "user":
            files = ", ".join(part.name for part in _files(message))
            if words := SPEAKER.sub("", text_of(message.parts)).strip() or files:
                return words
    return ""


def _files(message: RequestMessage) -> list[File]:
    """What a person sent and what their tools made."""
    made = [file for part in message.parts if isinstance(part, ToolResult) for file in part.files]
    sent = [part.file if isinstance(part, Media) else part for part in message.parts]
    return [part for part in sent if isinstance(part, File)] + made


def _known(messages: Sequence[RequestMessage]) -> Known:
    files = tuple((file.id, file.name) for message in messages for file in _files(message))
    return Known(files, f"{settings.TELEGRAM_API_URL}/demo/starlings.html" if settings.PLAYGROUND else "")


def _call(request: Request, name: str, arguments: dict[str, Any]) -> ToolCall:
    """The call with an id of its own: the same history gives the same id."""
    seed = f"{len(request.messages)}:{name}:{json.dumps(arguments, sort_keys=True)}"
    return ToolCall(f"demo_{_digest(seed)}", name, dict(arguments))


def _words(text: str) -> Iterator[str]:
    return (found.group() for found in WORDS.finditer(text))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _tokens(text: str) -> int:
    return -(-len(text) // TOKEN_CHARACTERS)


def _size(message: RequestMessage) -> int:
    """Tokens of a message as the demo counts them."""
    total = 0
    for part in message.parts:
        match part:
            case Text() | Thinking() | ToolResult():
                total += _tokens(part.text)
            case ToolCall():
                total += _tokens(json.dumps(part.arguments))
            case Media():
                total += _tokens(part.file.name)
            case File():
                total += _tokens(part.name)
    return total


READS = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"}
)  # and says it cannot
MODELS = (Model("demo", "Demo", VENDOR, WINDOW, OUTPUT_MAX, stream, READS),)
