"""getMe, getUpdates and webhooks."""

from __future__ import annotations

from aiogram.methods import GetMe, GetUpdates

from telegram_bot.playground.methods.registry import Context, method
from telegram_bot.playground.shapes import Json
from telegram_bot.playground.updates import LIMIT_MAX

ABILITIES: Json = {
    "can_join_groups": True,
    "can_read_all_group_messages": False,
    "supports_guest_queries": False,
    "supports_inline_queries": False,
    "can_connect_to_business": False,
    "has_main_web_app": False,
    "has_topics_enabled": False,
    "allows_users_to_create_topics": False,
    "can_manage_bots": False,
    "supports_join_request_queries": False,
}


@method(GetMe)
async def get_me(context: Context, _: GetMe) -> Json:
    return context.state.bot | ABILITIES


@method(GetUpdates)
async def get_updates(context: Context, call: GetUpdates) -> list[Json]:
    updates = context.state.updates
    updates.allow(call.allowed_updates)
    return await updates.poll(
        call.offset or 0, LIMIT_MAX if call.limit is None else call.limit, call.timeout or 0
    )
