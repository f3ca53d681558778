"""What may be done to a person's row, money apart."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.forgetting import recognised
from accounts.models import User
from accounts.preferences import PREFERENCES
from accounts.profiles import Profile

SEEN_EVERY = timedelta(minutes=10)  # last_seen_at is written at most this often: it decides nothing
ASKED_FOR = timedelta(hours=1)  # who answers later has moved on, and writes to the model
INSTRUCTIONS_MAX = 3_000  # characters; every answer pays for them, and they fit one message of Telegram
CHOSEN = frozenset({"model", "instructions", *(preference.name for preference in PREFERENCES)})

# Written out, as every message asks it: Django needs longer to write it than PostgreSQL to answer.
LOCK_PERSON = "SELECT * FROM accounts_user WHERE telegram_id = %s FOR UPDATE"


def sync_user(profile: Profile) -> User:
    """The person's row, made or brought up to date, and locked: it is the first lock of every path.

    Call inside a transaction. A language Telegram leaves out keeps its last known value.
    """
    told = asdict(profile)
    if not profile.telegram_language:
        del told["telegram_language"]
    user = next(iter(User.objects.raw(LOCK_PERSON, [profile.telegram_id])), None)
    if user is None:
        User.objects.bulk_create(
            [User(**told, **recognised(profile.telegram_id))], ignore_conflicts=True
        )  # two first messages at once are one person
        user = User.objects.select_for_update().get(telegram_id=profile.telegram_id)
    changed = [name for name, value in told.items() if getattr(user, name) != value]
    for name in changed:
        setattr(user, name, told[name])
    now = timezone.now()
    if user.last_seen_at is None or now - user.last_seen_at > SEEN_EVERY:
        user.last_seen_at = now
        changed.append("last_seen_at")
    if user.unreachable_at is not None:
        user.unreachable_at = None
        changed.append("unreachable_at")
    if changed:
        user.save(update_fields=changed)
    return user


def lock_user(user_id: int) -> User:
    """A person's row, locked until the transaction ends. Take it before any other lock."""
    return User.objects.select_for_update().get(pk=user_id)


def set_unreachable(user_id: int) -> None:
    """The person blocked the bot or is gone: nothing is sent to them until they write again."""
    User.objects.filter(pk=user_id, unreachable_at__isnull=True).update(unreachable_at=timezone.now())


def language_of(user: User) -> str:
    """The language the bot speaks with a person: their own choice, else Telegram's, else English."""
    known = dict(settings.LANGUAGES)
    for code in (user.language, user.telegram_language.split("-")[0].lower()):
        if code in known:
            return code
    return settings.LANGUAGE_CODE


@transaction.atomic
def set_preference(user_id: int, **preferences: Any) -> User:
    """Change what a person chose about themselves; unknown names are a programming error."""
    if unknown := preferences.keys() - CHOSEN:
        raise ValueError(f"no such preference: {', '.join(sorted(unknown))}")
    user = User.objects.select_for_update().get(pk=user_id)
    for name, value in preferences.items():
        setattr(user, name, value)
    user.save(update_fields=list(preferences))
    return user


def ask_for_instructions(user_id: int) -> None:
    """The person's next text in private is taken as their new instructions."""
    User.objects.filter(pk=user_id).update(instructions_asked_at=timezone.now())


def stop_asking(telegram_id: int) -> bool:
    """They did something else instead: the next text goes to the model again. True when something was asked."""
    asked = User.objects.filter(telegram_id=telegram_id, instructions_asked_at__isnull=False)
    return bool(asked.update(instructions_asked_at=None))


def is_asked_for_instructions(user: User) -> bool:
    asked_at = user.instructions_asked_at
    return asked_at is not None and timezone.now() - asked_at < ASKED_FOR


def set_instructions(user: User, instructions: str) -> None:
    """Take over what the person wrote when asked. Call with their row locked."""
    user.instructions, user.instructions_asked_at = instructions, None
    user.save(update_fields=["instructions", "instructions_asked_at"])


def set_unreachable_by_telegram(telegram_id: int) -> None:
    """The same, told by Telegram itself."""
    User.objects.filter(telegram_id=telegram_id, unreachable_at__isnull=True).update(
        unreachable_at=timezone.now()
    )


def language_by_telegram(telegram_id: int, reported: str) -> str:
    """The language to speak with somebody who may not have a row yet."""
    user = User.objects.filter(telegram_id=telegram_id).only("language", "telegram_language").first()
    return language_of(user or User(telegram_language=reported))
