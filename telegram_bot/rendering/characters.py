"""Characters as Telegram takes them: removed, unseen, wide, or parts of one that must not be cut."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# The blanks Telegram trims; everything else it takes for content.
BLANK: Final = " \n"
NO_BREAK_SPACE: Final = "\u00a0"

_LINE_ENDS: Final = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# C0 and C1 controls except tab and line feed; U+202A-202E and three combining marks, which Telegram's
# clean_input_string() deletes (td/telegram/misc.cpp): without them the offsets we send are the ones it keeps.
_REMOVED: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u0333\u033f\u030a]")
_RING_ABOVE: Final = re.compile(".\u030a")
# A message may not consist of these (strip_empty_characters() in the same file, and more of their kind).
_UNSEEN: Final = re.compile(
    "[\\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufffc\U000e0000-\U000e0fff]+"
)

_ZERO_WIDTH_JOINER: Final = "\u200d"
_WIDE: Final = frozenset("WF")
_EMOJI_VARIATION: Final = "\ufe0f"
_SKIN_TONES: Final = range(0x1F3FB, 0x1F400)
_REGIONAL_INDICATORS: Final = range(0x1F1E6, 0x1F200)
_TAGS: Final = range(0xE0020, 0xE0080)
_HANGUL_JAMO: Final = range(0x1160, 0x1200)
# How far a cut steps back to keep a cluster whole: longer ones are stacked accents and no words.
_CLUSTER_MAX: Final = 64


def clean(text: str) -> str:
    """The text with one kind of line end, no control characters and no lone surrogates."""
    if text.isascii() and text.isprintable():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = _LINE_ENDS.sub("\n", text)
    if "\u030a" in text:
        text = _RING_ABOVE.sub(lambda match: unicodedata.normalize("NFC", match[0]), text)
    return _REMOVED.sub("", text)


def is_visible(text: str) -> bool:
    """Whether Telegram takes the text for a message: blanks and zero-width characters alone are refused."""
    return _UNSEEN.fullmatch(text) is None if text else False


def width(text: str) -> int:
    """Columns the text takes in a monospaced font; wide East Asian characters and emoji take two."""
    if text.isascii():
        return len(text)
    columns = 0
    previous = 0
    joined = False
    for character in text:
        if joined or ord(character) in _SKIN_TONES:
            joined = False
            continue
        if character == _EMOJI_VARIATION:
            columns += 2 - previous if previous == 1 else 0
            previous = 2
            continue
        joined = character == _ZERO_WIDTH_JOINER
        previous = _width_of(character)
        columns += previous
    return columns


def _width_of(character: str) -> int:
    if ord(character) in _REGIONAL_INDICATORS:  # two of them make one flag of two columns
        return 1
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1


def cluster_start(text: str, position: int, floor: int) -> int:
    """The last place up to `position`, but after `floor`, that cuts nothing seen as one character."""
    nearest = position
    lowest = max(floor + 1, position - _CLUSTER_MAX)
    while nearest >= lowest:
        if not _joins(text, nearest):
            return nearest
        nearest -= 1
    return position


def cluster_end(text: str, position: int) -> int:
    """The next place, from `position` on, that does not cut what is seen as one character."""
    for nearest in range(position, min(len(text), position + _CLUSTER_MAX)):
        if not _joins(text, nearest):
            return nearest
    return position


def _joins(text: str, position: int) -> bool:
    """Whether the characters around a position belong to one cluster."""
    if not 0 < position < len(text):
        return False
    before, after = text[position - 1], text[position]
    if after == _ZERO_WIDTH_JOINER or before == _ZERO_WIDTH_JOINER:
        return True
    code = ord(after)
    if (
        code in _SKIN_TONES
        or code in _TAGS
        or code in _HANGUL_JAMO
        or unicodedata.category(after).startswith("M")
    ):
        return True
    if code in _REGIONAL_INDICATORS and ord(before) in _REGIONAL_INDICATORS:
        first = position - 1
        while first > 0 and ord(text[first - 1]) in _REGIONAL_INDICATORS:
            first -= 1
        return (position - first) % 2 == 1
    return False
