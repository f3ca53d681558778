"""What staff type in Telegram: the admin's permissions, limits and log; to others it does not exist."""

import re
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.models import Staff, User
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from tests.flows import books
from tests.people import ANNA, BORIS


@books.asynchronous
def employ(telegram_id: int, group: str, *, name: str = "felix") -> None:
    """A member of staff who is this person on Telegram."""
    person, _ = User.objects.get_or_create(telegram_id=telegram_id, defaults={"first_name": "Anna"})
    staff = Staff.objects.create_user(name, is_staff=True, person=person)
    staff.groups.add(Group.objects.get(name=group))
    staff.user_permissions.add(Permission.objects.get(codename="announce"))


@books.asynchronous
def boris_exists(username: str = "boris_b") -> None:
    User.objects.create(telegram_id=BORIS, first_name="Boris [x](y)", username=username)


@books.asynchronous
def log_of_staff() -> list[str]:
    return [entry.change_message for entry in LogEntry.objects.order_by("pk")]


@books.asynchronous
def is_blocked(telegram_id: int) -> bool:
    return User.objects.get(telegram_id=telegram_id).blocked_at is not None


async def ask(person: Person, text: str) -> str:
    sent = await person.send(text)
    answer = await person.wait_for(lambda message: True, after=sent["message_id"])
    return str(answer["text"])


@pytest.mark.parametrize("text", ["/topup 1002 5 x", "/ban 1002 x", "/unban 1002", "/stats", "/announce"])
async def test_to_everybody_else_a_staff_command_is_an_unknown_one(starling: Roles, anna: Person, text: str):
    assert await ask(anna, text) == await ask(anna, "/no_such_command")
    assert await log_of_staff() == []


async def test_support_may_ban_and_not_top_up(starling: Roles, anna: Person):
    await employ(ANNA, "Support")
    await boris_exists()
    assert "do not know this command" in await ask(anna, "/topup @boris_b +5 please")
    assert await books.balance_of(BORIS) == 0
    assert "Boris xy is blocked" in await ask(anna, "/ban @Boris_B sends adverts")
    assert await is_blocked(BORIS)
    assert "answered again" in await ask(anna, f"/unban {BORIS}")
    assert not await is_blocked(BORIS)
    assert await log_of_staff() == [
        "Blocked from Telegram, not blocked → blocked: sends adverts",
        "Unblocked from Telegram, blocked (sends adverts) → not blocked",
    ]


async def test_finance_tops_up_with_a_reason_that_is_kept(starling: Roles, anna: Person):
    await employ(ANNA, "Finance")
    await boris_exists()
    assert "now $2.50" in await ask(anna, f"/topup {BORIS} +2.50 the outage of Monday")
    assert "now $2.00" in await ask(anna, "/topup @boris_b -0.5 too much")
    assert await books.balance_of(BORIS) == Decimal(2)
    assert await log_of_staff() == [
        "Adjusted the balance by $2.50 from Telegram, $0.00 → $2.50: the outage of Monday",
        "Adjusted the balance by −$0.50 from Telegram, $2.50 → $2.00: too much",
    ]
    assert await books.mismatches() == []


@pytest.mark.parametrize(
    "wrong", ["", "@boris_b", "@boris_b 5", "@boris_b NaN x", "@boris_b 0 x", "@boris_b 1e30 x"]
)
async def test_a_top_up_that_is_not_whole_is_explained(starling: Roles, anna: Person, wrong: str):
    await employ(ANNA, "Finance")
    await boris_exists()
    assert "Write it like this" in await ask(anna, f"/topup {wrong}")
    assert await books.balance_of(BORIS) == 0


async def test_a_name_nobody_has_moves_nothing(starling: Roles, anna: Person):
    await employ(ANNA, "Finance")
    assert "I know nobody" in await ask(anna, "/topup @boris_b 5 x")
    assert "I know nobody" in await ask(anna, "/topup 99999999999999999999999999 5 x")


async def test_a_large_top_up_waits_for_somebody_else(starling: Roles, anna: Person):
    await employ(ANNA, "Finance")
    await boris_exists()
    sent = await anna.send("/topup @boris_b 50.01 a prize")
    answer = await anna.wait_for(lambda message: True, after=sent["message_id"])
    assert "Nothing is changed yet" in answer["text"]
    assert await books.balance_of(BORIS) == 0
    (link,) = [entity["url"] for entity in answer["entities"] if entity["type"] == "text_link"]
    path = re.sub(r"^https?://[^/]+", "", link)
    assert await confirm(path, "felix") == 403  # who asked
    assert await confirm(path, "frida") == 302
    assert await books.balance_of(BORIS) == Decimal("50.01")


@books.asynchronous
def confirm(path: str, name: str) -> int:
    staff = Staff.objects.filter(username=name).first() or Staff.objects.create_user(name, is_staff=True)
    staff.groups.add(Group.objects.get(name="Finance"))
    client = Client()
    client.force_login(staff)
    return client.post(path).status_code


async def test_stats_and_announce_answer_staff(starling: Roles, anna: Person):
    await employ(ANNA, "Finance")
    stats = await ask(anna, "/stats")
    assert "revenue $0.00" in stats
    assert "The books agree." in stats
    assert "Write the announcement here" in await ask(anna, "/announce We are back")
