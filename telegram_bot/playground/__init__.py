"""A strict stand-in for Telegram over real HTTP: the tests' Telegram, and everybody's who has no bot token.

async with Playground.started() as telegram:
    bot = Bot(telegram.token, AiohttpSession(api=TelegramAPIServer.from_base(telegram.url)))
    anna = telegram.person(1001)
    sent = await anna.send("Hello")
    answer = await anna.wait_for(lambda message: "Hello" in message["text"], after=sent["message_id"])
"""

from telegram_bot.playground.calls import Call
from telegram_bot.playground.members import GroupChat, Member
from telegram_bot.playground.people import Impossible, Person
from telegram_bot.playground.server import TOKEN, Playground

__all__ = ["TOKEN", "Call", "GroupChat", "Impossible", "Member", "Person", "Playground"]
