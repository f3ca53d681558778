"""Lengths and cuts in UTF-16 code units, the unit Telegram counts text in."""

from __future__ import annotations

from typing import Final

MESSAGE_MAX: Final = 4096  # sendMessage: "1-4096 characters after entities parsing"


def length(text: str) -> int:
    """UTF-16 code units of the text."""
    return len(text) + sum(character > "\uffff" for character in text)


def clip(text: str, units: int) -> str:
    """The longest beginning of at most `units` code units that cuts no character in two."""
    if length(text) <= units:
        return text
    left = units
    for index, character in enumerate(text):
        left -= 2 if character > "\uffff" else 1
        if left < 0:
            return text[:index]
    return text


def paste(text: str, units: int = MESSAGE_MAX) -> list[str]:
    """Cut a long text as Telegram's clients do: at the last line break or space that fits, else anywhere.

    Every part is trimmed, so white space at a cut is lost, as it is in the official clients; nothing else is.
    """
    parts: list[str] = []
    text = text.strip()
    start = 0
    while start < len(text):
        head = clip(text[start : start + units], units)
        if start + len(head) < len(text):
            cut = max(head.rfind("\n"), head.rfind(" "))
            head = head[: cut + 1] if cut > 0 else head
        start += len(head)
        parts.append(head.strip())
    return [part for part in parts if part]
