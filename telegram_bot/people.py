"""What commands need of a person, each one transaction."""

from collections.abc import Sequence
from decimal import Decimal

from django.db import transaction

from accounts.models import User
from accounts.profiles import Profile
from accounts.services import language_of, sync_user
from billing.ledger import grant_starting_credit
from conversations.contracts import Tool
from conversations.threads import start_thread, sync_chat


@transaction.atomic
def welcome(profile: Profile) -> Decimal:
    """The person, with their first credit if this is the first time; returns the balance in dollars."""
    user = sync_user(profile)
    grant_starting_credit(user.pk)
    return User.objects.values_list("balance", flat=True).get(pk=user.pk)


@transaction.atomic
def person(profile: Profile) -> User:
    """The person's row as it stands."""
    return sync_user(profile)


@transaction.atomic
def known(profile: Profile) -> tuple[int, str]:
    """The person's row and the language to speak."""
    user = sync_user(profile)
    return user.pk, language_of(user)


@transaction.atomic
def start_over(
    profile: Profile, *, chat_telegram_id: int, chat_title: str, topic: int | None, tools: Sequence[Tool]
) -> None:
    """/new in a private chat."""
    user = sync_user(profile)
    chat = sync_chat(telegram_id=chat_telegram_id, kind="private", title=chat_title)
    start_thread(chat, topic=topic, user=user, tools=tools)
