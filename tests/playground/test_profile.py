"""What the bot says of itself."""

from typing import Any

import pytest
from aiogram import Bot
from aiogram.types import BotCommand, BotCommandScopeChat

from tests.playground.conftest import ANNA, Ask


def command(name: str, description: str = "x") -> BotCommand:
    return BotCommand(command=name, description=description)


async def test_commands_are_kept_by_scope_and_language(bot: Bot):
    scope = BotCommandScopeChat(chat_id=ANNA)
    await bot.set_my_commands([command("/new")])
    await bot.set_my_commands([command("neu")], language_code="de")
    await bot.set_my_commands([command("mine")], scope=scope)
    assert [item.command for item in await bot.get_my_commands()] == ["new"]
    assert [item.command for item in await bot.get_my_commands(language_code="de")] == ["neu"]
    assert [item.command for item in await bot.get_my_commands(scope=scope)] == ["mine"]
    await bot.delete_my_commands(scope=scope)
    assert await bot.get_my_commands(scope=scope) == []


@pytest.mark.parametrize(
    ("commands", "words"),
    [
        ([{"command": "New", "description": "x"}], "BOT_COMMAND_INVALID"),
        ([{"command": "x" * 33, "description": "x"}], "BOT_COMMAND_INVALID"),
        ([{"command": "x", "description": ""}], "BOT_COMMAND_DESCRIPTION_INVALID"),
        ([{"command": "x", "description": "x" * 257}], "BOT_COMMAND_DESCRIPTION_INVALID"),
        ([{"command": "x", "description": "x"}] * 101, "BOT_COMMANDS_TOO_MUCH"),
        ("[{", "can't parse commands JSON object"),
    ],
)
async def test_wrong_commands_are_refused(ask: Ask, commands: Any, words: str):
    assert (await ask("setMyCommands", commands=commands))["description"] == f"Bad Request: {words}"
    assert (await ask("getMyCommands"))["result"] == []


async def test_names_and_descriptions_have_a_language(bot: Bot, ask: Ask):
    assert (await bot.get_my_name()).name == "Starling"
    await bot.set_my_name("Скворец", language_code="ru")
    assert (await bot.get_my_name(language_code="ru")).name == "Скворец"
    assert (await bot.get_my_name()).name == "Starling"
    await bot.set_my_short_description("Answers.")
    assert (await bot.get_my_short_description(language_code="ru")).short_description == "Answers."
    answer = await ask("setMyName", name="x" * 65)
    assert answer["description"] == "Bad Request: the bot's name is too long"
