"""The methods the stand-in knows: one file per family, each method registered under its Bot API name.

To add a family, write its file beside these and name it here; a method that is nowhere answers 404.
"""

from telegram_bot.playground.methods import (
    callbacks,
    drafts,
    editing,
    groups,
    guests,
    media,
    messages,
    profile,
    receiving,
    rich,
    stars,
)
from telegram_bot.playground.methods.registry import METHODS, Context

__all__ = [
    "METHODS",
    "Context",
    "callbacks",
    "drafts",
    "editing",
    "groups",
    "guests",
    "media",
    "messages",
    "profile",
    "receiving",
    "rich",
    "stars",
]
