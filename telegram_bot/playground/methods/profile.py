"""The bot's own commands, names and descriptions."""

from __future__ import annotations

import re
from typing import Final

from aiogram.methods import DeleteMyCommands, GetMyCommands, SetMyCommands
from aiogram.types import TelegramObject

from telegram_bot.playground.arguments import as_json
from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.methods.registry import Context, method
from telegram_bot.playground.shapes import Json

COMMANDS_MAX: Final = 100  # setMyCommands: "At most 100 commands can be specified"
COMMAND: Final = re.compile(r"[a-z0-9_]{1,32}")  # BotCommand.command
COMMAND_DESCRIPTION_MAX: Final = 256  # BotCommand.description: "1-256 characters"


@method(SetMyCommands)
async def set_my_commands(context: Context, call: SetMyCommands) -> bool:
    if len(call.commands) > COMMANDS_MAX:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in call.commands:
        if not COMMAND.fullmatch(command.command.removeprefix("/")):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(command.description) <= COMMAND_DESCRIPTION_MAX:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    context.state.commands[_key(call.scope, call.language_code)] = [
        as_json(command) for command in call.commands
    ]
    return True


@method(GetMyCommands)
async def get_my_commands(context: Context, call: GetMyCommands) -> list[Json]:
    return context.state.commands.get(_key(call.scope, call.language_code), [])


@method(DeleteMyCommands)
async def delete_my_commands(context: Context, call: DeleteMyCommands) -> bool:
    context.state.commands.pop(_key(call.scope, call.language_code), None)
    return True


def _key(scope: TelegramObject | None, language_code: str | None) -> tuple[str, str]:
    fields = as_json(scope) if scope is not None else {}
    place = ":".join(str(fields[name]) for name in ("type", "chat_id", "user_id") if name in fields)
    return place or "default", language_code or ""
