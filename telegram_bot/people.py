"""What commands need of a person, each one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
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
    return balance_of(user.pk)


@transaction.atomic
def person(profile: Profile) -> User:
    """The person's row as it stands."""
    return sync_user(profile)


@transaction.atomic
def known(profile: Profile) -> tuple[int, str]:
    """The person's row and the language to speak."""
    user = sync_user(profile)
    return user.pk, language_of(user)


@dataclass(frozen=True, slots=True)
class Listener:
    """Of somebody who spoke: whose money is spent, the language to answer in, whether to show what was heard."""

    user_id: int
    language: str
    transcripts: bool
    is_blocked: bool


@transaction.atomic
def listener(profile: Profile) -> Listener:
    """The person, with their first credit if this is the first time: a voice note may be their first word."""
    user = sync_user(profile)
    if not (user.balance or user.held) and user.blocked_at is None:
        grant_starting_credit(user.pk)
    return Listener(user.pk, language_of(user), user.transcripts, user.blocked_at is not None)


@transaction.atomic
def customer(profile: Profile) -> tuple[int, str]:
    """The same for whoever comes with money: if this is the first time, with their first credit."""
    user = sync_user(profile)
    grant_starting_credit(user.pk)
    return user.pk, language_of(user)


def balance_of(user_id: int) -> Decimal:
    return User.objects.values_list("balance", flat=True).get(pk=user_id)


@transaction.atomic
def start_over(
    profile: Profile,
    *,
    chat_telegram_id: int,
    chat_title: str,
    chat_kind: str = "private",
    topic: int | None,
    tools: Sequence[Tool],
) -> None:
    """/new: the lane goes on with a fresh thread."""
    user = sync_user(profile)
    chat = sync_chat(telegram_id=chat_telegram_id, kind=chat_kind, title=chat_title)
    start_thread(chat, topic=topic, user=user, tools=tools)


def guest_language(profile: Profile) -> str | None:
    """The language to speak with somebody who asks from elsewhere; None when staff blocked them."""
    user = User.objects.filter(telegram_id=profile.telegram_id).first()
    if user is not None and user.blocked_at is not None:
        return None
    return language_of(user or User(telegram_language=profile.telegram_language))
