"""What providers do alike between neutral parts and a vendor's JSON. No MODELS here, so no provider."""

import hashlib
import json
import math
import re
from typing import Any

NO_OUTPUT = "(no output)"  # a tool's result with empty content is refused
# An answer that was cut cannot be prolonged as it stands (no prefill): the next message asks for the
# rest. Constant, since it becomes part of the prefix.
CONTINUE = "Continue exactly where you stopped, without repeating anything."
UNPARSED = "_unparsed"  # the only argument of a call whose JSON came broken: no tool takes it

NAME = re.compile(r"[^a-zA-Z0-9_-]")  # what tool names and call ids may not contain


def whole(value: Any) -> Any:
    """The value with every half of a surrogate pair joined to its other half, or replaced by U+FFFD.

    JSON may carry them as escapes; UTF-8, in which requests are sent, cannot.
    """
    match value:
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            return value
        case dict():
            return {whole(name): whole(item) for name, item in value.items()}
        case list():
            return [whole(item) for item in value]
        case _:
            return value


def arguments_of(raw: str) -> dict[str, Any]:
    """A call's arguments; a tool without parameters may come with no JSON at all.

    JSON that does not parse (a call cut by the output's limit) becomes `{"_unparsed": the text}`: the
    tool refuses the unknown argument, and the model reads why and calls again.
    """
    try:
        given = json.loads(raw) if raw.strip() else {}
    except ValueError:
        given = None
    return whole(given) if isinstance(given, dict) else {UNPARSED: whole(raw)}


def seconds_of(header: str | None) -> float | None:
    """A time to wait such as `retry-after`, in seconds; None when absent or not a number (none sends dates)."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < math.inf else None


def fitting_name(name: str, length_max: int) -> str:
    """A tool's name made to fit a vendor's rule."""
    return NAME.sub("_", name)[:length_max] or "unnamed"


def fitting_id(call_id: str, length_max: int) -> str:
    """Another vendor's id made to fit a vendor's rule; one id always becomes the same one."""
    if call_id and len(call_id) <= length_max and not NAME.search(call_id):
        return call_id
    return f"call_{hashlib.sha256(call_id.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"
