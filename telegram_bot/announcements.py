"""What staff tell many people: from the draft to each person's row. Nobody gets it twice.

A row is claimed before its message is sent, and what broke off between the two stays unknown: it is
shown to staff and not tried again. What surely never left goes back to waiting.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import Staff, User
from accounts.services import language_of, set_unreachable
from billing.models import BalanceOperation
from telegram_bot.models import Announcement, Delivery

PER_SECOND = 25  # core.telegram.org/bots/faq: about 30 messages a second in all; answers need some of them
ACTIVE_WITHIN = timedelta(days=30)
LOST_AFTER = timedelta(minutes=10)  # a claim this old belongs to a process that is gone
State, Outcome = Announcement.State, Delivery.State


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to send: to whom on Telegram, and what."""

    delivery_id: int
    user_id: int
    telegram_id: int
    text: str


def audience_of(announcement: Announcement) -> QuerySet[User]:
    """Who would get it now: nobody whom staff or they themselves keep out."""
    people = User.objects.filter(telegram_id__isnull=False, blocked_at=None, unreachable_at=None)
    if announcement.audience == Announcement.Audience.ACTIVE:
        people = people.filter(last_seen_at__gte=timezone.now() - ACTIVE_WITHIN)
    if announcement.audience == Announcement.Audience.PAID:
        paid = BalanceOperation.objects.filter(user=OuterRef("pk"), kind=BalanceOperation.Kind.TOP_UP)
        people = people.filter(Exists(paid))
    russian = Q(language="ru") | Q(language="", telegram_language__iregex=r"^ru(-|$)")
    if announcement.language == "ru":
        return people.filter(russian)
    return people.exclude(russian) if announcement.language else people


@transaction.atomic
def confirm(announcement_id: int) -> int:
    """Send it: one row for each person there is now. Returns how many; 0 when it was confirmed before."""
    announcement = Announcement.objects.select_for_update().get(pk=announcement_id)
    if announcement.state != State.DRAFT:
        return 0
    people = audience_of(announcement).order_by("pk").values_list("pk", flat=True).iterator()
    rows = (Delivery(announcement=announcement, user_id=user_id) for user_id in people)
    count = len(Delivery.objects.bulk_create(rows, batch_size=5000))
    announcement.state, announcement.confirmed_at = State.SENDING, timezone.now()
    announcement.save(update_fields=["state", "confirmed_at"])
    return count


def pause(announcement_id: int) -> bool:
    """Send nothing more of it until it is resumed; what is in the air arrives."""
    return _move(announcement_id, State.SENDING, State.PAUSED)


def resume(announcement_id: int) -> bool:
    return _move(announcement_id, State.PAUSED, State.SENDING)


def ask_for_preview(announcement_id: int, staff: Staff) -> bool:
    """The bot shows it to this member of staff; False when their account is linked to nobody on Telegram."""
    if staff.person is None or staff.person.telegram_id is None:
        return False
    Announcement.objects.filter(pk=announcement_id).update(preview_to=staff.person)
    return True


def counts(announcement: Announcement) -> Mapping[str, int]:
    """How many people are in which state, every state named."""
    rows = announcement.deliveries.order_by().values_list("state").annotate(number=Count("*"))
    return dict.fromkeys(Outcome.values, 0) | dict(rows)


# The bot process -----------------------------------------------------------------------------------


@transaction.atomic
def take_preview() -> tuple[int, list[str]] | None:
    """A preview somebody asked for: whom to show which texts. Taken once."""
    row = Announcement.objects.select_for_update(skip_locked=True).filter(preview_to__isnull=False).first()
    if row is None:
        return None
    telegram_id = User.objects.values_list("telegram_id", flat=True).get(pk=row.preview_to_id or 0)
    row.preview_to = None
    row.save(update_fields=["preview_to"])
    return None if telegram_id is None else (telegram_id, [row.text_en, row.text_ru])


@transaction.atomic
def next_letters() -> list[int]:
    """The deliveries that may be tried in the next second; none while it is too early, or nothing is to do.

    One announcement at a time, and its row says when the next second begins: the pace holds whoever sends.
    """
    row = Announcement.objects.select_for_update().filter(state=State.SENDING).order_by("pk").first()
    if row is None:
        return []
    if not Announcement.objects.filter(Q(next_at=None) | Q(next_at__lte=Now()), pk=row.pk).exists():
        return []
    waiting = list(
        row.deliveries.filter(state=Outcome.WAITING).order_by("pk").values_list("pk", flat=True)[:PER_SECOND]
    )
    if waiting:
        Announcement.objects.filter(pk=row.pk).update(next_at=Now() + timedelta(seconds=1))
        return waiting
    claimed = row.deliveries.filter(state=Outcome.CLAIMED)
    claimed.filter(claimed_at__lt=Now() - LOST_AFTER).update(state=Outcome.UNKNOWN)
    if not claimed.exists():
        row.state, row.finished_at = State.DONE, timezone.now()
        row.save(update_fields=["state", "finished_at"])
    return []


def claim(delivery_id: int) -> Letter | None:
    """Take one delivery in hand; None when somebody else has, when it was paused, or nobody is there."""
    mine = Delivery.objects.filter(
        pk=delivery_id, state=Outcome.WAITING, announcement__state=State.SENDING
    ).update(state=Outcome.CLAIMED, claimed_at=Now())
    if not mine:
        return None
    row = Delivery.objects.select_related("announcement", "user").get(pk=delivery_id)
    user = row.user
    if user.telegram_id is None or user.blocked_at is not None or user.unreachable_at is not None:
        settle(delivery_id, Outcome.UNREACHABLE)
        return None
    text = row.announcement.text_ru if language_of(user) == "ru" else row.announcement.text_en
    return Letter(row.pk, user.pk, user.telegram_id, text)


def settle(delivery_id: int, outcome: str, error: str = "") -> None:
    """Write down how a claimed delivery went, late answers too."""
    Delivery.objects.filter(pk=delivery_id, state__in=(Outcome.CLAIMED, Outcome.UNKNOWN)).update(
        state=outcome, error=error[:255]
    )


def gone(letter: Letter, error: str) -> None:
    """The person blocked the bot or is no more."""
    settle(letter.delivery_id, Outcome.UNREACHABLE, error)
    set_unreachable(letter.user_id)


def wait_longer(delivery_id: int, seconds: float) -> None:
    """Nothing left this machine: the delivery waits again, and the whole announcement for a while."""
    settle(delivery_id, Outcome.WAITING)
    Announcement.objects.filter(deliveries=delivery_id).update(next_at=Now() + timedelta(seconds=seconds))


def _move(announcement_id: int, before: str, after: str) -> bool:
    return bool(Announcement.objects.filter(pk=announcement_id, state=before).update(state=after))
