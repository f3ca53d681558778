"""Every sentence the bot says: a template per sentence, in the person's language."""

from typing import Any

from django.template.loader import render_to_string
from django.utils import translation


def say(sentence: str, language: str, **context: Any) -> str:
    """The words of templates/bot/<sentence>.md, as Markdown without the template's own line breaks at its ends."""
    with translation.override(language):
        return render_to_string(f"bot/{sentence}.md", context).strip()


def failure(key: str, language: str, **context: Any) -> str:
    """The sentence for a failure's key: what happened and what to do next."""
    return say("failure", language, key=key, **context)


def label(words: object, language: str) -> str:
    """Lazy words, such as a setting's title, in a language."""
    with translation.override(language):
        return str(words)
