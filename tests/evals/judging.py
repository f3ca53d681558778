"""A situation, the request it makes of a model, and whether what came back was right."""

import io
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from PIL import Image

from conversations.contracts import Media, Model, Request, RequestMessage, Tool
from conversations.parts import File, Text, text_of
from conversations.reply import Reply
from conversations.threads import head_of
from tools.catalog import tools

HERE = Path(__file__).resolve().parent
BEGAN = date(2026, 11, 25)  # the same for every run, so that runs compare
OUTPUT_MAX = 2_000


@dataclass(frozen=True)
class Situation:
    name: str
    asks: str
    wants: tuple[str, ...]
    may: tuple[str, ...] = ()
    given: str = ""
    says: str = ""
    lacks: str = ""
    before: tuple[tuple[str, str], ...] = ()
    files: tuple[dict[str, Any], ...] = ()
    group: bool = False

    @property
    def subject(self) -> str:
        """Where it stands in the table: the first tool it wants."""
        return self.wants[0] if self.wants else "no tool"


@dataclass(frozen=True)
class Verdict:
    """`wrong` says why in a few words, or nothing."""

    situation: Situation
    called: tuple[str, ...]
    wrong: str
    said: str = ""


def situations() -> list[Situation]:
    rows = tomllib.loads((HERE / "situations.toml").read_text())["situation"]
    return [
        Situation(
            **{name: _frozen(value) if isinstance(value, list) else value for name, value in row.items()}
        )
        for row in rows
    ]


def _frozen(value: list[Any]) -> tuple[Any, ...]:
    return tuple(tuple(each) if isinstance(each, list) else each for each in value)


def offered_to(model: Model) -> list[Tool]:
    """The catalog's tools that this model is told of, also those this machine lacks the means for."""
    return [tool for tool in tools().values() if not tool.native or tool.name in model.native]


def askable(situation: Situation, model: Model) -> bool:
    """Can it be met? A tool that this model is not told of cannot be called."""
    return not situation.wants or bool({tool.name for tool in offered_to(model)} & set(situation.wants))


def request_of(situation: Situation, model: Model) -> Request:
    """What our own code sends for it: the system prompt, the tools, the conversation."""
    offered = offered_to(model)
    system, _ = head_of("", offered, began=BEGAN, alone=not situation.group)
    asked = (*(_file(file) for file in situation.files), Text(situation.asks))
    earlier = tuple(
        RequestMessage("user" if who == "user" else "assistant", (Text(words),))
        for who, words in situation.before
    )
    specs = tuple(tool.spec for tool in offered)
    return Request(system, (*earlier, RequestMessage("user", asked)), specs, OUTPUT_MAX)


def _file(given: dict[str, Any]) -> File | Media:
    content = _red_square() if given.get("seen") else b""
    file = File(given["id"], given["name"], given["mime"], given.get("size", len(content)))
    return Media(file, content) if content else file


def _red_square() -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", (64, 64), (220, 20, 20)).save(kept, "PNG")
    return kept.getvalue()


def judged(situation: Situation, reply: Reply) -> Verdict:
    """The first answer, weighed: the calls it makes, what it gives them, and its words."""
    words = text_of(reply.kept())
    called = tuple(call.name for call in reply.calls)
    return Verdict(situation, called, _wrong(situation, reply, called, words), words)


def _wrong(situation: Situation, reply: Reply, called: Sequence[str], words: str) -> str:
    if situation.wants and not set(called) & set(situation.wants):
        return f"called {', '.join(called) or 'nothing'}"
    if beside := set(called) - {*situation.wants, *situation.may}:
        return f"called {', '.join(sorted(beside))} {'too' if situation.wants else ''}".strip()
    arguments = " ".join(str(call.arguments) for call in reply.calls if call.name in situation.wants)
    if situation.wants and situation.given not in arguments:
        return f"{situation.given} is not in {arguments[:120]}"
    if situation.says and not re.search(situation.says, words):
        return f"its words lack {situation.says}"
    if situation.lacks and re.search(situation.lacks, words):
        return f"its words have {situation.lacks}"
    return ""
