"""The methods the stand-in knows: one file per family, each method registered under its Bot API name."""

from telegram_bot.playground.methods import callbacks, drafts, editing, messages, profile, receiving
from telegram_bot.playground.methods.registry import METHODS, Context

__all__ = ["METHODS", "Context", "callbacks", "drafts", "editing", "messages", "profile", "receiving"]
