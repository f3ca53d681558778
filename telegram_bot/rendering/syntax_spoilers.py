"""`||hidden words||`, as people write spoilers in chats.

Norms (`||x||`) and the `||` of programs stay what they are: a spoiler has a real word in it, no sign of a formula,
and touches no letter outside.
"""

from __future__ import annotations

import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

SPOILER: Final = "spoiler"
_SPOILER: Final = re.compile(r"\|\|(?P<text>[^\s|](?:[^|\n]*[^\s|])?)\|\|(?!\|)")
_WORD: Final = re.compile(r"[^\W\d_]{4}|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2}")
_FORMULA: Final = re.compile(r"[\\^_={}<>+]")


def spoiler_plugin(parser: MarkdownIt) -> None:
    """Add the rule to a parser: `spoiler_open` and `spoiler_close` around inline tokens."""
    parser.inline.ruler.before("emphasis", SPOILER, _spoiler)
    parser.inline.add_terminator_char("|")


def _spoiler(state: StateInline, silent: bool) -> bool:
    found = _SPOILER.match(state.src, state.pos, state.posMax)
    if (
        found is None
        or state.src[state.pos - 1 : state.pos].isalnum()
        or state.src[state.pos - 1 : state.pos] == "|"
    ):
        return False
    text, after = found["text"], state.src[found.end() : found.end() + 1]
    if after.isalnum() or not _WORD.search(text) or _FORMULA.search(text):
        return False
    if not silent:
        end = state.posMax
        state.push(f"{SPOILER}_open", "", 1).markup = "||"
        state.pos, state.posMax = found.start("text"), found.end("text")
        state.md.inline.tokenize(state)
        state.posMax = end
        state.push(f"{SPOILER}_close", "", -1).markup = "||"
    state.pos = found.end()
    return True
