"""`{{ name|literal }}`: what a person typed, inside a sentence that is Markdown."""

import re

from django import template

register = template.Library()

PUNCTUATION = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$&])")


@register.filter
def literal(text: object) -> str:
    """Text whose punctuation means nothing."""
    return PUNCTUATION.sub(r"\\\1", " ".join(str(text).split()))
