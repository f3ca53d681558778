"""What reading a file finds out. Pure: the one shape both sides of the process border know."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Literal

# Why a file is not taken: each is a sentence in templates/bot/file_failed.md.
Fault = Literal["damaged", "locked", "too_much", "too_large_picture", "empty"]

TEXT_MAX = 120_000  # characters of one document that a model is given: about 30,000 tokens
UNKNOWN = "application/octet-stream"
WORDS = "words"  # `shown` of a file that models know by the words beside it, never by its bytes


class Unreadable(Exception):
    """These bytes are not what they claim, or more than may be read; the argument is a Fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Findings:
    """What is in a file, by its bytes."""

    mime: str = UNKNOWN
    text: str = ""  # its words
    cut: int = 0  # characters of them that were left out
    shown: str = ""  # media type of `picture`, WORDS, or empty: the file goes to models as it is
    tokens: int = 0  # at most so many, as native content
    fault: Fault | None = None
    picture: bytes = b""  # what models are shown instead of the file

    def dumped(self) -> bytes:
        """One line of JSON, then the picture's bytes."""
        facts = asdict(replace(self, picture=b""))
        facts["picture"] = len(self.picture)
        return json.dumps(facts).encode() + b"\n" + self.picture


def loaded(body: bytes) -> Findings:
    """What `dumped` wrote. Raises ValueError or TypeError on anything else."""
    line, _, picture = body.partition(b"\n")
    facts = json.loads(line)
    if facts.pop("picture") != len(picture):
        raise ValueError("half an answer")
    return Findings(**facts, picture=picture)


def worded(mime: str, text: str, **more: int | str) -> Findings:
    """Findings of a document that is its words, cut to what a model is given."""
    text = text.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip()
    fields: dict[str, object] = {"shown": WORDS, **more}
    return Findings(mime, text[:TEXT_MAX], max(0, len(text) - TEXT_MAX), **fields)  # type: ignore[arg-type]
