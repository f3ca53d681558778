"""Where Python runs: one small contract (contract.py), and the sandboxes that keep it."""

import functools

from django.conf import settings

from tools.sandbox._folders import forget_old as forget_old_folders
from tools.sandbox.contract import Sandbox
from tools.sandbox.local import Local, confinement

__all__ = ["forget_old_folders", "sandbox", "why_not"]


@functools.cache
def sandbox() -> Sandbox | None:
    """The sandbox of this installation, or None where there is none: then Python is not offered."""
    if settings.SANDBOX == "off" or confinement()[0]:
        return None
    return Local()


def why_not() -> str:
    """Why there is no sandbox, in words for whoever runs this; nothing when there is one."""
    if settings.SANDBOX == "off":
        return "SANDBOX is off."
    why, _ = confinement()
    return f"{why[:1].upper()}{why[1:]}." if why else ""
