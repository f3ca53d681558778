"""What people chose about themselves before a flow begins."""

from typing import Any

from django.db import transaction

from accounts.profiles import Profile
from accounts.services import set_preference, sync_user
from config.aio import in_db
from telegram_bot.playground.people import Person


async def prefer(person: Person, **preferences: Any) -> None:
    """Let a person have chosen, as if they had been here before."""

    def choose() -> None:
        with transaction.atomic():
            user = sync_user(Profile(person.id, first_name="Somebody", telegram_language="en"))
        set_preference(user.pk, **preferences)

    await in_db(choose)()
