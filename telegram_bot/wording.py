"""Strangers' words made fit to be stored, shown and read by a model. Pure."""

import re
import unicodedata

LABEL_MAX = 120  # characters of a name; a longer one says nothing more
# What turns text around, or hides in it: bidirectional overrides, zero-width and other format characters.
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean(text: str) -> str:
    """Text that a database and a vendor accept: no NUL, no half of a surrogate pair."""
    return text.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def label(text: str, limit: int = LABEL_MAX) -> str:
    """A name on one line, without what could pass for something else than a name."""
    seen = "".join(" " if unicodedata.category(sign) in UNSEEN else sign for sign in clean(text))
    seen = re.sub(r"\s+", " ", seen.replace("[", "(").replace("]", ")")).strip()
    return seen if len(seen) <= limit else f"{seen[: limit - 1].rstrip()}…"


def file_name(given: str, otherwise: str) -> str:
    """A file's name as a label: its last path component, its ending kept when it is cut."""
    name = re.split(r"[/\\]", clean(given))[-1]
    name = "".join(sign for sign in name if unicodedata.category(sign) not in UNSEEN)
    name = re.sub(r"\s+", " ", name.replace("[", "(").replace("]", ")")).strip(" .") or otherwise
    if len(name) <= LABEL_MAX:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 10:
        return name[:LABEL_MAX]
    return f"{stem[: LABEL_MAX - len(ending) - 2]}….{ending}"
