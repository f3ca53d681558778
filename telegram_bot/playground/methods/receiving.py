"""getMe, getUpdates and webhooks."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from aiogram.methods import DeleteWebhook, GetMe, GetUpdates, GetWebhookInfo, SetWebhook

from telegram_bot.playground.errors import bad_request, conflict
from telegram_bot.playground.guard import LOCAL_NAMES
from telegram_bot.playground.methods.registry import Context, method
from telegram_bot.playground.shapes import Json
from telegram_bot.playground.updates import LIMIT_MAX
from telegram_bot.playground.webhook import CONNECTIONS

CONNECTIONS_MAX: Final = 100  # setWebhook, max_connections: "1-100"
SECRET: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")  # setWebhook, secret_token


@method(GetMe)
async def get_me(context: Context, _: GetMe) -> Json:
    return context.state.bot | context.state.abilities


@method(GetUpdates)
async def get_updates(context: Context, call: GetUpdates) -> list[Json]:
    updates = context.state.updates
    limit = LIMIT_MAX if call.limit is None else call.limit
    return await updates.poll(call.offset or 0, limit, call.timeout or 0, call.allowed_updates)


@method(SetWebhook)
async def set_webhook(context: Context, call: SetWebhook) -> bool:
    state = context.state
    if not call.url:
        await state.webhook.remove()
        return True
    address = urlsplit(call.url)
    # A local Bot API server takes plain HTTP too; on this machine there is nobody to listen in.
    if address.scheme != "https" and address.hostname not in LOCAL_NAMES:
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if call.secret_token and not SECRET.fullmatch(call.secret_token):
        raise bad_request("secret token contains unallowed characters")
    state.updates.allow(call.allowed_updates)
    if call.drop_pending_updates:
        state.updates.clear()
    state.updates.interrupt(conflict("terminated by setWebhook request"))
    connections = min(max(call.max_connections or CONNECTIONS, 1), CONNECTIONS_MAX)
    await state.webhook.point_at(call.url, call.secret_token or "", connections)
    return True


@method(DeleteWebhook)
async def delete_webhook(context: Context, call: DeleteWebhook) -> bool:
    if call.drop_pending_updates:
        context.state.updates.clear()
    await context.state.webhook.remove()
    return True


@method(GetWebhookInfo)
async def get_webhook_info(context: Context, _: GetWebhookInfo) -> Json:
    state = context.state
    info: Json = {
        "url": state.webhook.url,
        "has_custom_certificate": False,
        "pending_update_count": len(state.updates),
    }
    if state.webhook.url:
        info["max_connections"] = state.webhook.connections
    if state.webhook.error is not None:
        info["last_error_date"], info["last_error_message"] = state.webhook.error
    return info | ({"allowed_updates": state.updates.allowed} if state.updates.allowed else {})
