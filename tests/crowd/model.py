"""What Claude says to a crowd: the mark of everything it was asked, in the manner the last mark asks for.

A question bears a mark, `#12.3:plain#`: the third of person 12, and how it is to be answered. The answer bears
`(12.3)`, which is no mark, so that a quoted answer asks for nothing.
"""

import re
from collections import Counter

from tests.fakes.anthropic_script import Answer, Block, Cut, Says, Thought, Use, Words

MARK = re.compile(r"#(\d+\.\d+):(\w+)#")
TABLE = "\n\n| Planet | Moons |\n| --- | ---: |\n| Mars | 2 |\n"
TOKEN_SECONDS = 0.05  # of most answers: a second for twenty tokens
SLOW_WORDS = 400  # twenty seconds, unless somebody stops it


def mark(key: str, manner: str = "plain") -> str:
    return f"#{key}:{manner}#"


def echo(key: str) -> str:
    """What an answer to this mark bears."""
    return f"({key})"


class Model:
    """A script for the stand-in; it remembers what it was asked, to break off only once."""

    def __init__(self) -> None:
        self.read: Counter[str] = Counter()  # marks by how often they were asked
        self._calls = 0

    def __call__(self, body: Block) -> Answer:
        self._calls += 1
        marks, has_result = _asked(body["messages"])
        keys, manner = list(dict.fromkeys(key for key, _ in marks)), marks[-1][1] if marks else "plain"
        self.read.update(keys)
        words = " ".join(["Read", *map(echo, keys)]) + "."
        match manner:
            case "slow":
                return Says((Words(words + " " + "word " * SLOW_WORDS, piece=5),), delay=TOKEN_SECONDS)
            case "cut" if self.read[keys[-1]] == 1:
                return Says((Words("I begin,"), Cut()), delay=TOKEN_SECONDS)
            case "formula" if not has_result:
                use = Use("render_latex", {"latex": f"x_{{{self._calls}}}"}, id=f"toolu_{self._calls}")
                return Says((Thought("A formula helps."), Words("Here it is."), use), delay=TOKEN_SECONDS)
            case "table":
                return Says((Words(words + TABLE),), delay=TOKEN_SECONDS)
            case "long":
                paragraphs = "\n\n".join(f"Paragraph {number}. " + "word " * 50 for number in range(20))
                return Says((Words(f"{words}\n\n{paragraphs}", piece=300),), delay=TOKEN_SECONDS)
        return Says((Thought("Easy."), Words(f"{words} That is all I know of it.")), delay=TOKEN_SECONDS)


def _asked(messages: list[Block]) -> tuple[list[tuple[str, str]], bool]:
    """The marks of everything said since the last finished answer, and whether a tool's result is among it."""
    texts: list[str] = []
    has_result = False
    for message in reversed(messages):
        blocks = message["content"]
        blocks = [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks
        kinds = {block["type"] for block in blocks}
        if message["role"] == "assistant":
            if "tool_use" not in kinds:
                break
            continue
        has_result = has_result or "tool_result" in kinds
        texts.insert(0, "\n".join(block.get("text", "") for block in blocks))
    return MARK.findall("\n".join(texts)), has_result
