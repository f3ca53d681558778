"""How long a recording lasts, as its own headers say, by tinytag."""

import io
import math

from tinytag import TinyTag, TinyTagException

from tools.apart.child import Unreadable

SECONDS_MOST = 10_000_000  # a header that says more lies


def read(content: bytes) -> str:
    """Whole seconds, begun ones too. Raises Unreadable where nothing says how long it is."""
    try:
        seconds = TinyTag.get(file_obj=io.BytesIO(content), tags=False).duration
    except TinyTagException as error:
        raise Unreadable("Nothing in it says how long it lasts.") from error
    if not seconds or not 0 < seconds < SECONDS_MOST:
        raise Unreadable("Nothing in it says how long it lasts.")
    return str(math.ceil(seconds))
