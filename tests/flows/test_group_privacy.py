"""What is between the bot and one person stays between them, also in a group."""

from decimal import Decimal

import pytest
from django.db import transaction

from accounts.models import User
from accounts.profiles import Profile
from accounts.services import sync_user
from billing import ledger
from config.aio import in_db
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.members import GroupChat
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Words
from tests.flows import books
from tests.people import ANNA, BORIS

GROUP = -1001000000002
NEWCOMER = 5005


@pytest.fixture
def group(telegram: Playground, anna: Person, boris: Person) -> GroupChat:
    return telegram.group(GROUP, "Hiking", anna, boris)


async def test_the_balance_is_whispered_to_its_owner(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, group: GroupChat
):
    async def menu_is_set() -> bool:
        return ("all_group_chats", "") in telegram.state.commands  # it is what makes the command ephemeral

    await books.eventually(menu_is_set, "the menu")
    anna, boris = group.member(ANNA), group.member(BORIS)
    await anna.send("/balance@starling_bot")
    told = await anna.wait_for(lambda message: "$1.00" in message["text"], after=-1)
    assert told["ephemeral_message_id"]
    assert boris.messages == []  # neither the command nor the answer


async def test_a_used_up_balance_is_told_in_private_where_the_bot_may_not_whisper(
    starling: Roles, claude: AnthropicStandIn, group: GroupChat, anna: Person
):
    await spend_all_of(anna)
    member = group.member(ANNA)
    await member.send("@starling_bot hello")
    told = await anna.wait_for(lambda message: "balance is used up" in message["text"])
    assert told["reply_markup"]
    await books.all_done()
    assert member.replies == []


async def test_an_administrator_bot_whispers_it_and_the_retry_button_works_there(
    starling: Roles, claude: AnthropicStandIn, group: GroupChat, anna: Person
):
    group.room.bot = "administrator"
    await spend_all_of(anna)
    member = group.member(ANNA)
    await member.send("@starling_bot hello")
    told = await member.wait_for(lambda message: "balance is used up" in message["text"], after=-1)
    assert group.member(BORIS).replies == []
    await books.all_done()
    user = await in_db(User.objects.get)(telegram_id=ANNA)
    await in_db(ledger.credit)(user.pk, key="test:paid", amount=Decimal(1), kind="top_up")
    claude.say(Words("Hello!"))
    await member.press(
        told["ephemeral_message_id"], told["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    )
    answer = await member.wait_for(lambda message: message["text"] == "Hello!")
    assert answer["reply_to_message"]["text"] == "@starling_bot hello"


async def test_who_has_no_chat_with_the_bot_gets_one_neutral_line_with_a_way_there(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, group: GroupChat
):
    newcomer = telegram.person(NEWCOMER, first_name="Noor")
    there = group.join(newcomer.profile)
    await spend_all_of(newcomer)
    await there.send("@starling_bot hello")
    line = await there.wait_for(lambda message: "in private" in message["text"])
    assert "balance" not in line["text"]
    assert line["reply_markup"]["inline_keyboard"][0][0]["url"].startswith("https://t.me/starling_bot?start=")


async def spend_all_of(person: Person) -> None:
    """Meet a person and leave them nothing."""
    await in_db(_spend_all)(Profile(telegram_id=person.id, first_name=person.profile.first_name))


@transaction.atomic
def _spend_all(profile: Profile) -> None:
    user = sync_user(profile)
    ledger.grant_starting_credit(user.pk)
    ledger.debit(user.pk, key=f"test:spent:{user.pk}", amount=Decimal(1), kind="refund")
