"""What a person typed, inside a sentence that is Markdown: `{{ name|literal }}`, `{{ text|quoted }}`."""

import re

from django import template

register = template.Library()

PUNCTUATION = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$&])")


@register.filter
def literal(text: object) -> str:
    """Text whose punctuation means nothing."""
    return PUNCTUATION.sub(r"\\\1", " ".join(str(text).split()))


@register.filter
def quoted(text: object) -> str:
    """The same, line by line, as a quotation."""
    return "\n".join(f"> {literal(line)}  " for line in str(text).splitlines())
