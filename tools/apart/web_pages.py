"""A page of the web as Markdown, by BeautifulSoup and markdownify."""

import re
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup
from markdownify import MarkdownConverter

TITLE_MAX = 200  # characters
DROPPED = ("script", "style", "noscript", "template", "svg", "iframe", "form", "nav", "footer", "aside")
BLANK_LINES = re.compile(r"\n\s*\n\s*\n+")


def read(content: bytes, *, url: str, charset: str, max_chars: int) -> str:
    """A web page as Markdown: its title, then what it says, with absolute links and without its machinery."""
    soup = BeautifulSoup(content, "html.parser", from_encoding=charset or None)
    title = " ".join(soup.title.get_text().split())[:TITLE_MAX] if soup.title else ""
    for tag in soup(DROPPED):
        tag.decompose()
    for image in soup("img"):
        image.replace_with(f"[{image['alt']}]" if image.get("alt") else "")
    for link in soup("a", href=True):
        address = urljoin(url, str(link["href"]))
        if urlsplit(address).scheme in ("http", "https"):
            link["href"] = address
        else:
            link.unwrap()
    body = soup.find("main") or soup.find("article") or soup.body or soup
    text = MarkdownConverter(heading_style="ATX", bullets="-").convert_soup(body)
    text = BLANK_LINES.sub("\n\n", text).strip()
    text = f"# {title}\n\n{text}" if title and not text.startswith("# ") else text
    return (
        text
        if len(text) <= max_chars
        else f"{text[:max_chars]}\n(cut: {len(text) - max_chars:,} more characters)"
    )
