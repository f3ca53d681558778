"""The bot's own commands, name, descriptions and menu button."""

from __future__ import annotations

import re
from typing import Final

from aiogram.methods import (
    DeleteMyCommands,
    GetChatMenuButton,
    GetMyCommands,
    GetMyDescription,
    GetMyName,
    GetMyShortDescription,
    SetChatMenuButton,
    SetMyCommands,
    SetMyDescription,
    SetMyName,
    SetMyShortDescription,
)
from aiogram.types import TelegramObject

from telegram_bot.playground.arguments import as_json
from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.methods.registry import Context, method
from telegram_bot.playground.shapes import Json

COMMANDS_MAX: Final = 100  # setMyCommands: "At most 100 commands can be specified"
COMMAND: Final = re.compile(r"[a-z0-9_]{1,32}")  # BotCommand.command
COMMAND_DESCRIPTION_MAX: Final = 256  # BotCommand.description: "1-256 characters"
# setMyName, setMyDescription, setMyShortDescription: the longest text each takes.
WORDS_MAX: Final = {"name": 64, "description": 512, "short_description": 120}


@method(SetMyCommands)
async def set_my_commands(context: Context, call: SetMyCommands) -> bool:
    if len(call.commands) > COMMANDS_MAX:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in call.commands:
        if not COMMAND.fullmatch(command.command.removeprefix("/")):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(command.description) <= COMMAND_DESCRIPTION_MAX:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    commands = [
        as_json(command) | {"command": command.command.removeprefix("/")} for command in call.commands
    ]
    context.state.commands[_key(call.scope, call.language_code)] = commands
    return True


@method(GetMyCommands)
async def get_my_commands(context: Context, call: GetMyCommands) -> list[Json]:
    return context.state.commands.get(_key(call.scope, call.language_code), [])


@method(DeleteMyCommands)
async def delete_my_commands(context: Context, call: DeleteMyCommands) -> bool:
    context.state.commands.pop(_key(call.scope, call.language_code), None)
    return True


@method(SetMyName)
async def set_my_name(context: Context, call: SetMyName) -> bool:
    return _say(context, "name", call.name, call.language_code)


@method(GetMyName)
async def get_my_name(context: Context, call: GetMyName) -> Json:
    return _said(context, "name", call.language_code, otherwise=context.state.bot["first_name"])


@method(SetMyDescription)
async def set_my_description(context: Context, call: SetMyDescription) -> bool:
    return _say(context, "description", call.description, call.language_code)


@method(GetMyDescription)
async def get_my_description(context: Context, call: GetMyDescription) -> Json:
    return _said(context, "description", call.language_code)


@method(SetMyShortDescription)
async def set_my_short_description(context: Context, call: SetMyShortDescription) -> bool:
    return _say(context, "short_description", call.short_description, call.language_code)


@method(GetMyShortDescription)
async def get_my_short_description(context: Context, call: GetMyShortDescription) -> Json:
    return _said(context, "short_description", call.language_code)


@method(SetChatMenuButton)
async def set_chat_menu_button(context: Context, call: SetChatMenuButton) -> bool:
    button = as_json(call.menu_button) if call.menu_button is not None else {"type": "default"}
    context.state.menu_buttons[call.chat_id] = button
    return True


@method(GetChatMenuButton)
async def get_chat_menu_button(context: Context, call: GetChatMenuButton) -> Json:
    buttons = context.state.menu_buttons
    return buttons.get(call.chat_id) or buttons.get(None) or {"type": "commands"}


def _say(context: Context, kind: str, text: str | None, language: str | None) -> bool:
    if len(text or "") > WORDS_MAX[kind]:
        raise bad_request(f"the bot's {kind.replace('_', ' ')} is too long")
    context.state.words[kind, language or ""] = text or ""
    return True


def _said(context: Context, kind: str, language: str | None, otherwise: str = "") -> Json:
    words = context.state.words
    return {kind: words.get((kind, language or "")) or words.get((kind, "")) or otherwise}


def _key(scope: TelegramObject | None, language_code: str | None) -> tuple[str, str]:
    fields = as_json(scope) if scope is not None else {}
    place = ":".join(str(fields[name]) for name in ("type", "chat_id", "user_id") if name in fields)
    return place or "default", language_code or ""
