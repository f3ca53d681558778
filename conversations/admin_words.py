"""Messages in the admin: what they are made of for all, what they say for those who may read it."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from accounts.admin_pages import NOTHING, ROWS_MAX, when
from conversations import parts
from conversations.history import COUNTED
from conversations.models import Message

KINDS: dict[type[parts.Part], str] = {
    parts.Text: "text",
    parts.Thinking: "thinking",
    parts.File: "file",
    parts.FileText: "file's words",
    parts.ToolCall: "tool call",
    parts.ToolResult: "tool result",
    parts.Opaque: "vendor's own",
    parts.Summary: "summary",
}


def latest(messages: QuerySet[Message]) -> list[Message]:
    """The last of them, in the order they were said."""
    return list(reversed(messages.order_by("-pk")[:ROWS_MAX]))


def shape_of(of: parts.Parts) -> str:
    """What a message is made of, without a word of it: `2 text, 1 file; 1,204 characters`."""
    kinds = Counter(KINDS[type(part)] for part in of)
    counted = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
    length = len(parts.text_of(of))
    return f"{counted}; {length:,} characters" if length else counted or NOTHING


def prompt_of(usage: Mapping[str, Any] | None) -> tuple[str, str]:
    """How many tokens a step's prompt had, and which share of them was read from the vendor's cache."""
    counts = usage or {}
    tokens = sum(counts.get(name, 0) for name in COUNTED if name != "output")
    if not tokens:
        return NOTHING, NOTHING
    return f"{tokens:,}", f"{100 * counts.get('cache_read', 0) // tokens}%"


def words_of(message: Message) -> SafeString:
    """What one message says."""
    return render_to_string("admin/parts.html", {"parts": [_shown(part) for part in message.parts]})


def words_of_all(messages: QuerySet[Message]) -> SafeString:
    """What the latest messages say."""
    said = [
        {"role": row.role, "when": when(row.created_at), "parts": [_shown(part) for part in row.parts]}
        for row in latest(messages)
    ]
    return render_to_string("admin/conversation.html", {"messages": said})


def _shown(part: parts.Part) -> dict[str, Any]:
    """A part as the template shows it: its kind, a line about it, its text, and whether that is folded."""
    kind = KINDS[type(part)]
    match part:
        case parts.Text(text):
            return {"kind": kind, "text": text}
        case parts.Thinking(text) | parts.Summary(text):
            return {"kind": kind, "text": text, "folded": True}
        case parts.File(id, name, mime, size):
            return {"kind": kind, "about": [id, name, mime, f"{size:,} bytes"]}
        case parts.FileText(_, name, text):
            return {"kind": kind, "about": [name], "text": text, "folded": True}
        case parts.ToolCall(id, name, arguments):
            return {"kind": kind, "about": [name, id], "code": _json(arguments)}
        case parts.ToolResult(call_id, name, text, is_error):
            about = [name, call_id, *(each.file.id for each in part.shown)]
            return {"kind": "failed tool" if is_error else kind, "about": about, "code": text}
        case parts.Opaque(luggage):
            return {"kind": kind, "code": _json(luggage), "folded": True}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
