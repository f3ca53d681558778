"""What staff do from Telegram, by the rules of the admin: the same permissions, the same limits, the same log."""

from dataclasses import asdict, dataclass
from decimal import Decimal
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.core import signing
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts import blocking
from accounts.models import Staff, User
from accounts.money import exact_dollars
from accounts.services import lock_user
from billing import ledger
from billing.admin_adjust import ALONE_MAX, SALT, Adjustment
from billing.errors import AmountUnusable
from billing.models import BalanceOperation
from billing.pricing import NANO
from conversations.models import Turn
from telegram_bot import figures
from telegram_bot.figures import Figures


class NoSuchPerson(Exception):
    """Nobody has this number or name, or several people had the name at one time."""


@dataclass(frozen=True, slots=True)
class ToppedUp:
    """A balance that was adjusted, or (`confirm_at`) the address where somebody else has to confirm it."""

    person: str
    amount: Decimal
    after: Decimal
    confirm_at: str = ""


@dataclass(frozen=True, slots=True)
class Stats:
    """Today beside yesterday, and what is under way."""

    today: Figures
    yesterday: Figures
    running: int
    people: int
    books_agree: bool


def staff_with(telegram_id: int, permission: str) -> Staff | None:
    """The member of staff linked to this person, if they may do this."""
    staff = Staff.objects.filter(person__telegram_id=telegram_id, is_active=True, is_staff=True).first()
    return staff if staff is not None and staff.has_perm(permission) else None


def find_person(target: str) -> User:
    """The one person with this Telegram id, or this @name. Raises NoSuchPerson."""
    if target.startswith("@"):
        found = User.objects.filter(username__iexact=target[1:])
    elif target.isascii() and target.isdecimal() and len(target) < 19:
        found = User.objects.filter(telegram_id=int(target))
    else:
        raise NoSuchPerson(target)
    people = list(found[:2])
    if len(people) != 1:
        raise NoSuchPerson(target)
    return people[0]


@transaction.atomic
def top_up(staff: Staff, target: str, amount: Decimal, reason: str, *, form: UUID) -> ToppedUp:
    """Adjust a balance, or ask for a second pair of eyes when it is much. The same `form` again does nothing.

    Raises NoSuchPerson, and AmountUnusable.
    """
    if abs(amount) > ledger.AMOUNT_MAX or amount != amount.quantize(NANO):
        raise AmountUnusable(f"{amount} is no amount of dollars")
    person = lock_user(find_person(target).pk)
    wanted = Adjustment(person.pk, str(amount), reason, str(form), staff.pk)
    if abs(amount) > ALONE_MAX:
        _log(staff, person, f"Asked to adjust by {exact_dollars(amount)} from Telegram: {reason}")
        signed = signing.dumps(asdict(wanted), salt=SALT)
        address = admin_address("admin:billing_balanceoperation_confirm", signed)
        return ToppedUp(person.display_name, amount, person.balance, address)
    is_new = not BalanceOperation.objects.filter(key=wanted.key).exists()
    done = ledger.adjust(person.pk, key=wanted.key, amount=amount, reason=reason, actor_id=staff.pk)
    if is_new:
        change = f"{exact_dollars(done.balance_after - done.amount)} → {exact_dollars(done.balance_after)}"
        _log(
            staff,
            person,
            f"Adjusted the balance by {exact_dollars(amount)} from Telegram, {change}: {reason}",
        )
    return ToppedUp(person.display_name, amount, done.balance_after)


@transaction.atomic
def ban(staff: Staff, target: str, reason: str) -> str:
    """Block a person; returns their name. Raises NoSuchPerson."""
    person = lock_user(find_person(target).pk)
    before = _standing(person)
    blocking.block(person, reason)
    _log(staff, person, f"Blocked from Telegram, {before} → blocked: {reason}")
    return person.display_name


@transaction.atomic
def unban(staff: Staff, target: str) -> str:
    """Let a person in again; returns their name. Raises NoSuchPerson."""
    person = lock_user(find_person(target).pk)
    before = _standing(person)
    blocking.unblock(person)
    _log(staff, person, f"Unblocked from Telegram, {before} → not blocked")
    return person.display_name


def stats() -> Stats:
    """The front page's figures in short."""
    days = figures.last_days(timezone.now())
    return Stats(
        days[-1],
        days[-2],
        Turn.objects.filter(state=Turn.State.RUNNING).count(),
        User.objects.count(),
        not figures.books().difference,
    )


def announcement_address(text: str) -> str:
    """Where an announcement is written, with what was typed already in it."""
    address = admin_address("admin:telegram_bot_announcement_add")
    return f"{address}?{urlencode({'text_en': text, 'text_ru': text})}" if text else address


def admin_address(name: str, *args: str) -> str:
    """A page of the admin as a browser outside reaches it: at the first origin its forms are trusted from."""
    origins = settings.CSRF_TRUSTED_ORIGINS
    origin = origins[0] if origins else f"http://{settings.WEB_HOST}:{settings.WEB_PORT}"
    return origin.rstrip("/") + reverse(name, args=args)


def _standing(person: User) -> str:
    return f"blocked ({person.blocked_reason})" if person.blocked_at else "not blocked"


def _log(staff: Staff, person: User, words: str) -> None:
    LogEntry.objects.log_actions(staff.pk, [person], CHANGE, change_message=words, single_object=True)
