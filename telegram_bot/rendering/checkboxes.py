"""Task lists: the box an item begins with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from markdown_it.token import Token

_BOX: Final = re.compile(r"\[([ xX])\](?:\s+|$)")


def box_of(following: Sequence[Token]) -> re.Match[str] | None:
    """The box at the start of an item, given the tokens behind its opening."""
    if len(following) < 2 or following[1].type != "inline" or not following[1].children:
        return None
    first = following[1].children[0]
    return _BOX.match(first.content) if first.type == "text" else None


def take_box(following: Sequence[Token]) -> bool | None:
    """Whether an item is done, None if it is no task; its brackets are taken out of its text."""
    box = box_of(following)
    if box is None:
        return None
    assert following[1].children
    first = following[1].children[0]
    first.content = first.content[box.end() :]
    return box[1] != " "
