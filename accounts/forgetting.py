"""A person who asked to be erased: nothing that names them stays, and they are still known again.

Their money rows must not go, and a second starting credit must not be had by leaving and coming back.
So the row keeps a keyed hash of the Telegram id: it names nobody without SECRET_KEY, and the same
person has the same one.
"""

import hmac
from typing import Any

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from accounts.models import Staff, User

# What is kept of a person's row, for the sake of the money and of a ban.
KEPT = frozenset(
    {"id", "balance", "held", "spending_blocked_at", "blocked_at", "blocked_reason", "created_at"}
)


def forgotten_hash(telegram_id: int) -> str:
    return hmac.digest(settings.SECRET_KEY.encode(), f"forgotten:{telegram_id}".encode(), "sha256").hex()


def recognised(telegram_id: int) -> dict[str, Any]:
    """What a new row is to say of somebody who was here before and had themselves erased: a ban still stands."""
    before = User.objects.filter(forgotten_as=forgotten_hash(telegram_id)).order_by("-pk").first()
    if before is None:
        return {}
    return {"returned": True, "blocked_at": before.blocked_at, "blocked_reason": before.blocked_reason}


def forget(user: User) -> None:
    """Take everything off a person's row but what KEPT names. Call with the row locked."""
    known_as = forgotten_hash(user.telegram_id) if user.telegram_id is not None else user.forgotten_as
    blank = User()
    for field in User._meta.concrete_fields:
        if field.name not in KEPT:
            setattr(user, field.attname, getattr(blank, field.attname))
    user.forgotten_as = known_as
    user.save()
    Staff.objects.filter(person=user).update(person=None)
    # What staff did to them stays on record; the record called them by their name.
    about = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk)
    )
    about.update(object_repr=str(user))
