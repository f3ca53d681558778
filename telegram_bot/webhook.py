"""The other way in: Telegram posts each update to us, and is told 200 when it is stored."""

import asyncio
import contextlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError
from aiohttp import web
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from telegram_bot.dispatcher import Roles
from telegram_bot.inbox import Inbox
from telegram_bot.intake import ALLOWED_UPDATES

SECRET = re.compile(
    r"[A-Za-z0-9_-]{16,256}"
)  # setWebhook, secret_token: 1-256 of these; fewer can be guessed
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105  a header's name
UPDATE_BYTES_MAX = 2 * 1024 * 1024  # the longest updates, with rich messages quoted, have some 200 KB
CONNECTIONS_MAX = 40  # setWebhook, max_connections: Telegram's own default
LOOK_SECONDS = 30.0  # how often we look whether Telegram still knows our address
CLOSING_SECONDS = 5.0  # for the posts under way at the end; what gets no 200 comes again

log = structlog.get_logger(__name__)


def checked() -> None:
    """Refuse to listen without an address and a secret. Raises ImproperlyConfigured."""
    if not settings.TELEGRAM_WEBHOOK_URL:
        raise ImproperlyConfigured(
            "runbot --webhook needs TELEGRAM_WEBHOOK_URL, the address Telegram posts to."
        )
    if not SECRET.fullmatch(settings.TELEGRAM_WEBHOOK_SECRET):
        raise ImproperlyConfigured(
            "runbot --webhook needs TELEGRAM_WEBHOOK_SECRET, 16 to 256 of A-Z, a-z, 0-9, _ and -: without it "
            "anybody could post updates in anybody's name."
        )


async def by_webhook(roles: Roles) -> None:
    """Take in what Telegram posts, for ever, and see to it that Telegram keeps posting here."""
    async with _listening(roles.inbox):
        while True:
            try:
                await keep_set(roles.bot)
                roles.inbox.last_poll = time.monotonic()
            except TelegramAPIError as error:
                log.warning("telegram.away", reason=str(error)[:200], again_in=LOOK_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)


async def keep_set(bot: Bot) -> None:
    """Name our address to Telegram, unless it is the one it has."""
    info = await bot.get_webhook_info()
    if info.last_error_date and time.time() - info.last_error_date.timestamp() < LOOK_SECONDS:
        log.warning("webhook.not_reached", reason=info.last_error_message, waiting=info.pending_update_count)
    if info.url == settings.TELEGRAM_WEBHOOK_URL and set(info.allowed_updates or ()) == set(ALLOWED_UPDATES):
        return
    await bot.set_webhook(
        settings.TELEGRAM_WEBHOOK_URL,
        secret_token=settings.TELEGRAM_WEBHOOK_SECRET,
        allowed_updates=ALLOWED_UPDATES,
        max_connections=CONNECTIONS_MAX,
    )
    log.info("webhook.set", host=urlsplit(settings.TELEGRAM_WEBHOOK_URL).netloc)


@contextlib.asynccontextmanager
async def _listening(inbox: Inbox) -> AsyncIterator[None]:
    """A server on TELEGRAM_WEBHOOK_PORT that knows one path: the one in TELEGRAM_WEBHOOK_URL."""

    async def post(request: web.Request) -> web.Response:
        # The secret alone says that it is Telegram: addresses, also in X-Forwarded-For, can be made up.
        given = request.headers.get(SECRET_HEADER, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, settings.TELEGRAM_WEBHOOK_SECRET.encode()):
            return web.Response(status=403)
        try:
            payload = json.loads(await request.read())
        except ValueError:
            return web.Response(status=400)
        await inbox.accept(payload)
        return web.Response()

    app = web.Application(client_max_size=UPDATE_BYTES_MAX)
    app.router.add_post(urlsplit(settings.TELEGRAM_WEBHOOK_URL).path or "/", post)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSING_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.TELEGRAM_WEBHOOK_HOST, settings.TELEGRAM_WEBHOOK_PORT).start()
        log.info("webhook.listening", port=settings.TELEGRAM_WEBHOOK_PORT)
        yield
    finally:
        await runner.cleanup()
