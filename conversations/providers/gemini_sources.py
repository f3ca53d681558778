"""What a grounded answer stands on, as a line of links. No MODELS here, so no provider."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from google.genai import types

SEARCHES_MAX = 3
PAGES_MAX = 8
TITLE_MAX = 60  # characters
SEARCH_URL = "https://www.google.com/search?q="
URL_SAFE = ":/?#@!$&*+,;=%~'"  # brackets and spaces would end a link
MARKUP = re.compile(r"([\\`*_\[\]<>~|$])")


def as_links(grounding: types.GroundingMetadata) -> str:
    """A paragraph of CommonMark to stand behind the answer, or nothing when nothing was searched.

    The searches come first: Google's terms ask to show them as ways on into Google Search.
    """
    searches = (
        (query, SEARCH_URL + quote_plus(query, errors="replace"))
        for query in grounding.web_search_queries or ()
        if query.strip()
    )
    pages = (
        (web.title or web.domain or web.uri, quote(web.uri, safe=URL_SAFE))
        for web in (chunk.web for chunk in grounding.grounding_chunks or ())
        if web and web.uri and web.uri.startswith(("https://", "http://"))
    )
    lines = [_line(searches, SEARCHES_MAX), _line(pages, PAGES_MAX)]
    shown = "\n".join(line for line in lines if line)
    return f"\n\n🔎 {shown}" if shown else ""


def _line(links: Iterable[tuple[str, str]], most: int) -> str:
    return " · ".join([f"[{_title(title)}]({url})" for title, url in _once(links)][:most])


def _once(links: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Each address and each title once: ten passages of one page are one source."""
    seen: set[str] = set()
    for title, url in links:
        if seen.isdisjoint((title, url)):
            seen |= {title, url}
            yield title, url


def _title(title: str) -> str:
    words = " ".join(title.split())
    short = words if len(words) <= TITLE_MAX else words[: TITLE_MAX - 1] + "…"
    return MARKUP.sub(r"\\\1", short)
