"""The hard documents, whole and as they grow."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
PREFIXES = 20


def documents() -> dict[str, str]:
    """Every document by its name; some hold lone surrogates, as a careless source may."""
    return {
        path.stem: path.read_bytes().decode("utf-8", "surrogatepass") for path in sorted(FOLDER.glob("*.md"))
    }


def prefixes(source: str) -> list[str]:
    """The document at twenty moments of its growth."""
    return [source[: len(source) * step // PREFIXES] for step in range(1, PREFIXES + 1)]
