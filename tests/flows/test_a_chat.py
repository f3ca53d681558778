"""What a person meets first."""

from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person


async def test_a_greeting_names_the_balance(starling: Roles, anna: Person):
    await anna.send("/start")
    reply = await anna.wait_for(lambda message: "Starling" in message["text"])
    assert "$1.00" in reply["text"]


async def test_a_question_is_answered(starling: Roles, anna: Person):
    await anna.send("Hello!")
    reply = await anna.wait_for(lambda message: bool(message["text"]))
    assert len(reply["text"]) > 10
