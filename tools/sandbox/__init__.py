"""Where Python runs: one small contract (contract.py), and the sandboxes that keep it."""

import asyncio
import functools

from django.conf import settings

from tools.sandbox._folders import forget_old as forget_old_folders
from tools.sandbox.contract import Sandbox
from tools.sandbox.local import Local, confinement

__all__ = ["forget_old_folders", "sandbox", "tidy", "trouble", "why_not"]


@functools.cache
def sandbox() -> Sandbox | None:
    """The sandbox of this installation, or None where there is none: then Python is not offered."""
    if settings.SANDBOX == "e2b" or (settings.SANDBOX == "auto" and settings.E2B_API_KEY):
        from tools.sandbox.e2b import E2B  # noqa: PLC0415  its SDK costs 0.4 s and 50 MB

        return E2B()
    if settings.SANDBOX == "off" or confinement()[0]:
        return None
    return Local()


def tidy() -> int:
    """End the sandboxes elsewhere that nobody uses; returns how many."""
    if not settings.E2B_API_KEY:
        return 0
    from tools.sandbox.e2b import kill_unused  # noqa: PLC0415  as above

    return asyncio.run(kill_unused())


def trouble() -> str:
    """What keeps E2B from running anything, as it says now, for whoever runs this; nothing when nothing does."""
    from tools.sandbox.e2b import trouble as at_e2b  # noqa: PLC0415  as above

    return asyncio.run(at_e2b())


def why_not() -> str:
    """Why there is no sandbox, in words for whoever runs this; nothing when there is one."""
    if settings.SANDBOX == "off":
        return "SANDBOX is off."
    if sandbox():
        return ""
    why, _ = confinement()
    return f"{why[:1].upper()}{why[1:]}."
