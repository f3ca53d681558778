"""Telegram: does it know the token, and does anybody fetch what it has for us?"""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2
from django.conf import settings

from telegram_bot.doctor.findings import Check, Finding, bad, look, well
from telegram_bot.doctor.servers import skew

ANSWER_SECONDS_MAX = 4.0
WAITING_MAX = 20  # updates at Telegram; more of them means that nobody fetches them
RECENTLY_SECONDS = 3600
UNKNOWN_TOKEN = {401, 404}
AWAY = "look at TELEGRAM_API_URL, and at this machine's network."
AWAY_DEMO = "start the playground by `make run`, or set TELEGRAM_BOT_TOKEN for a real bot."


def _telegram() -> Iterator[Finding]:
    host = urlsplit(settings.TELEGRAM_API_URL).netloc
    try:
        with httpx2.Client(timeout=ANSWER_SECONDS_MAX) as http:
            said = http.post(_address("getMe"))
            hook = http.post(_address("getWebhookInfo"))
    except httpx2.HTTPError:
        yield bad(f"Telegram does not answer at {host}: {AWAY_DEMO if settings.PLAYGROUND else AWAY}")
        return
    if said.status_code in UNKNOWN_TOKEN:
        yield bad("Telegram does not know TELEGRAM_BOT_TOKEN: copy the token again from @BotFather.")
        return
    me = _result(said)
    if not me:
        yield bad(
            f"What answers at {host} is no Bot API (HTTP {said.status_code}): look at TELEGRAM_API_URL."
        )
        return
    stands_in = " It is the playground: set TELEGRAM_BOT_TOKEN for a real bot." if settings.PLAYGROUND else ""
    yield well(f"Telegram knows the bot as @{me.get('username')}.{stands_in}")
    yield from _hook(_result(hook))
    if "date" in said.headers:
        yield from skew("Telegram", parsedate_to_datetime(said.headers["date"]).timestamp())


def _hook(info: dict[str, Any]) -> Iterator[Finding]:
    waiting = info.get("pending_update_count", 0)
    if waiting > WAITING_MAX:
        yield bad(f"{waiting} updates wait at Telegram and nobody fetches them: is the bot running?")
    if not info.get("url"):
        return
    place = urlsplit(info["url"]).netloc
    if info["url"] == settings.TELEGRAM_WEBHOOK_URL:
        yield well(f"Telegram delivers to TELEGRAM_WEBHOOK_URL, at {place}.")
    else:
        yield look(f"Telegram delivers to a webhook at {place} that is not ours; `runbot` takes it away.")
    if time.time() - info.get("last_error_date", 0) < RECENTLY_SECONDS:
        yield bad(f"The last delivery there failed: {info.get('last_error_message', 'no reason given')}.")


def _address(method: str) -> str:
    return f"{settings.TELEGRAM_API_URL}/bot{settings.TELEGRAM_BOT_TOKEN}/{method}"


def _result(response: httpx2.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    result = answer.get("result") if isinstance(answer, dict) and answer.get("ok") else None
    return result if isinstance(result, dict) else {}


CHECKS = (Check("Telegram", _telegram, seconds=2 * ANSWER_SECONDS_MAX),)
