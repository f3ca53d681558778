from __future__ import annotations


def to_unicode(tex: str) -> str:
    return tex
