"""Keeping somebody out, and letting them in again; staff do it, for a reason."""

from django.utils import timezone

from accounts.models import User


def block(person: User, reason: str) -> None:
    """Nothing this person writes is answered until they are unblocked."""
    User.objects.filter(pk=person.pk).update(blocked_at=timezone.now(), blocked_reason=reason)


def unblock(person: User) -> None:
    User.objects.filter(pk=person.pk).update(blocked_at=None, blocked_reason="")


def allow_spending(person: User) -> None:
    """Take back the audit's block; when the sums still disagree, the next audit blocks again."""
    User.objects.filter(pk=person.pk).update(spending_blocked_at=None)
