"""Only this machine's own pages may talk to the playground: no DNS rebinding, no forged forms."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

LOCAL_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@web.middleware
async def only_local(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a request that names another host, or that a page from elsewhere makes."""
    origin = request.headers.get("Origin")
    is_foreign = origin is not None and urlsplit(origin).netloc != request.host
    if is_foreign or _name(f"//{request.host}") not in LOCAL_NAMES:
        raise web.HTTPForbidden(text="The playground answers this machine only.")
    return await handler(request)


def _name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
