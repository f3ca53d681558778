"""The ledger: the one writer of balances, operations and holds.

Every verb is one transaction and may join its caller's. It locks the person's row first, then the
hold, then whatever else: with one order there is no cycle, and under that lock plain reads are enough.
Every movement has a key; the same key again is a no-op that returns the first result.
Refusals are raised before the first write, so a caller may catch them and use its transaction on.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, connection
from django.db.models.functions import Now

from accounts.models import User
from billing import locks
from billing.admission import FIRST_CREDIT, admit, may_be_granted
from billing.errors import (
    AmountUnusable,
    HoldClosed,
    HoldUnknown,
    InsufficientFunds,
    KeyMisused,
    LedgerMisused,
)
from billing.models import BalanceOperation, Hold
from billing.pricing import NANO
from billing.transactions import atomically

AMOUNT_MAX = Decimal(
    100_000
)  # dollars; the dearest purchase of Stars is worth $65, the dearest call about $50
ZERO = Decimal(0)
UNIQUE_VIOLATION = "23505"  # https://www.postgresql.org/docs/current/errcodes-appendix.html

OPEN_HOLD_AND_SAVE_PERSON = """
    WITH person AS (UPDATE accounts_user SET balance = %s, held = %s WHERE id = %s)
    INSERT INTO billing_hold (amount, spent, overdraft, state, expires_at, key, user_id)
    VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id
"""
SAVE_PERSON = "UPDATE accounts_user SET balance = %s, held = %s WHERE id = %s"
SAVE_HOLD_AND_PERSON = """
    WITH hold AS (
        UPDATE billing_hold SET amount = %s, spent = %s, overdraft = %s, state = %s, expires_at = %s
        WHERE id = %s
    ) UPDATE accounts_user SET balance = %s, held = %s WHERE id = %s
"""

log = structlog.get_logger(__name__)


# Spending: hold, extend, settle, release ---------------------------------------------------------


@atomically
def hold(user_id: int, *, key: str, estimate: Decimal, expires_in: timedelta) -> Hold:
    """Set dollars aside for one turn: `estimate`, or all that is available, or the turn cap, the least.

    While it is open nothing of it is available to another turn. The same key again renews an open hold
    and opens a closed one anew. Raises SpendingRefused, or KeyMisused when the key is another person's.
    """
    _require(estimate)
    user, clock = locks.person(user_id)
    mine, others = _holds(user, key)
    if mine is not None and mine.state == Hold.State.OPEN:
        mine.expires_at = clock + expires_in
        _save(user, mine)
        return mine
    admit(user, running=len(others), clock=clock)
    mine = mine or Hold(key=key, user=user)
    mine.state, mine.overdraft, mine.expires_at = Hold.State.OPEN, False, clock + expires_in
    mine.amount = min(estimate, user.available, _turn_cap() - mine.spent)
    if mine.amount <= 0:
        raise InsufficientFunds(balance=user.balance, held=user.held)
    user.held += mine.amount
    _save(user, mine)
    return mine


@atomically
def extend(hold_key: str, *, needed: Decimal, expires_in: timedelta) -> Decimal:
    """See to it that `needed` dollars are left in the hold, and say how many are: perhaps fewer.

    Takes what is available; if that is not enough and no other open turn of this person does, it goes
    below zero, to the overdraft limit. Never past the turn cap. Renews the deadline, and opens a hold
    that the sweeper closed meanwhile. Raises HoldClosed when the hold was released.
    """
    _require(needed)
    user, clock = locks.person_of(hold_key)
    mine, others = _holds(user, hold_key)
    assert mine is not None, "the lock was found through it"
    if mine.state == Hold.State.EXPIRED:
        mine.state, mine.amount, mine.overdraft = Hold.State.OPEN, ZERO, False
    if mine.state != Hold.State.OPEN:
        raise HoldClosed(f"hold {hold_key} is {mine.state}")
    wanted = min(needed, _turn_cap() - mine.spent) - mine.amount
    if wanted > 0 and user.spending_blocked_at is None:
        covered = max(user.available, ZERO)
        room = covered
        if wanted > covered and not any(other.overdraft for other in others):
            room = max(user.available + settings.OVERDRAFT_LIMIT_USD, ZERO)
        added = min(wanted, room)
        mine.overdraft = mine.overdraft or added > covered
        mine.amount += added
        user.held += added
    mine.expires_at = clock + expires_in
    _save(user, mine)
    left: Decimal = mine.amount
    return left


@atomically
def settle(
    hold_key: str,
    *,
    key: str,
    amount: Decimal,
    cost: Decimal | None = None,
    kind: str = "usage",
    details: Mapping[str, Any],
) -> BalanceOperation | None:
    """Charge what was used and take it out of the hold, which stays open. Nothing used: no operation.

    `cost` is what the vendor asks for it, when that is not the amount itself.

    What the vendor billed is always charged, once: more than was held, and also after the hold was
    closed. Only an open hold shrinks, and never below zero.
    """
    if kind not in BalanceOperation.CHARGES:
        raise AmountUnusable(f"{kind} is not charged through a hold")
    if amount == 0:
        return None
    _require(amount)
    user, _ = locks.person_of(hold_key)
    entry = _entry(user, key=key, kind=kind, amount=-amount, cost=cost, details=dict(details))
    mine, posted = locks.hold(hold_key, operation=key)
    if posted:
        return _first(entry)
    _post(user, entry)
    mine.spent += amount
    if mine.state == Hold.State.OPEN:
        covered = min(amount, mine.amount)
        mine.amount -= covered
        user.held -= covered
    _save(user, mine)
    return entry


@atomically
def release(hold_key: str) -> None:
    """Close a turn's hold and give back what is left of it. Again, or for a hold never made: nothing."""
    try:
        user, _ = locks.person_of(hold_key)
    except HoldUnknown:
        return
    mine, _ = locks.hold(hold_key)
    if mine.state == Hold.State.OPEN:
        user.held -= mine.amount
    if mine.state in (Hold.State.OPEN, Hold.State.EXPIRED):
        mine.state = Hold.State.SETTLED if mine.spent else Hold.State.RELEASED
        _save(user, mine)


def expire_holds() -> int:
    """Close every open hold whose deadline has passed by the database's clock, and count them."""
    overdue = Hold.objects.filter(state=Hold.State.OPEN, expires_at__lte=Now())
    user_ids = overdue.order_by("user_id").values_list("user_id", flat=True).distinct()
    return sum(_expire_holds_of(user_id) for user_id in list(user_ids))


@atomically
def _expire_holds_of(user_id: int) -> int:
    user, clock = locks.person(user_id)
    overdue = list(user.holds.select_for_update().filter(state=Hold.State.OPEN, expires_at__lte=clock))
    for mine in overdue:
        mine.state = Hold.State.EXPIRED
        user.held -= mine.amount
        _save(user, mine)
        log.warning("hold_expired", user_id=user_id, key=mine.key, amount=mine.amount)
    return len(overdue)


# Movements without a hold: credit, debit, adjust -------------------------------------------------


@atomically
def credit(
    user_id: int,
    *,
    key: str,
    amount: Decimal,
    kind: str,
    details: Mapping[str, Any] | None = None,
    reason: str = "",
    actor_id: int | None = None,
) -> BalanceOperation:
    """Raise a balance: a grant, a top-up, a refund given back, a gift received."""
    if kind not in BalanceOperation.INCOME:
        raise AmountUnusable(f"{kind} is no income")
    _require(amount)
    user, _ = locks.person(user_id)
    entry = _entry(
        user, key=key, kind=kind, amount=amount, details=details or {}, reason=reason, actor_id=actor_id
    )
    return _move(user, entry)


@atomically
def debit(
    user_id: int,
    *,
    key: str,
    amount: Decimal,
    kind: str,
    details: Mapping[str, Any] | None = None,
    reason: str = "",
    actor_id: int | None = None,
    force: bool = False,
) -> BalanceOperation:
    """Lower a balance outside any turn, by a positive `amount`: a refund, a chargeback, a gift given.

    Raises InsufficientFunds when less is available, unless forced: then the balance may fall below zero.
    """
    if kind not in BalanceOperation.DEBITS:
        raise AmountUnusable(f"{kind} is no debit")
    _require(amount)
    user, _ = locks.person(user_id)
    entry = _entry(
        user, key=key, kind=kind, amount=-amount, details=details or {}, reason=reason, actor_id=actor_id
    )
    return _move(user, entry, at_least=None if force else amount)


@atomically
def adjust(user_id: int, *, key: str, amount: Decimal, reason: str, actor_id: int) -> BalanceOperation:
    """Correct a balance by hand, up or down, in the name of a member of staff and for a written reason."""
    if not reason.strip():
        raise LedgerMisused("an adjustment needs a reason")
    _require(abs(amount))
    user, _ = locks.person(user_id)
    kind = BalanceOperation.Kind.ADJUSTMENT
    entry = _entry(user, key=key, kind=kind, amount=amount, reason=reason.strip(), actor_id=actor_id)
    return _move(user, entry)


@atomically
def grant_starting_credit(user_id: int) -> BalanceOperation | None:
    """Give a new person their first dollars, once, whatever the setting becomes later; None when they get none now."""
    if not settings.STARTING_BALANCE_USD:
        return None
    user, clock = locks.person(user_id)
    if user.returned:
        return None
    key = f"{FIRST_CREDIT}{user_id}"
    first = BalanceOperation.objects.filter(key=key).first()
    if first is not None:
        return first
    if not may_be_granted(settings.STARTING_BALANCE_USD, clock):
        return None
    entry = _entry(user, key=key, kind=BalanceOperation.Kind.GRANT, amount=settings.STARTING_BALANCE_USD)
    return _move(user, entry)


# What the verbs are made of ----------------------------------------------------------------------


def _require(amount: Decimal) -> None:
    """Raise AmountUnusable unless this is a sane, positive, exact number of dollars."""
    # Finite first: to compare with a NaN raises an error of another kind.
    if not (isinstance(amount, Decimal) and amount.is_finite() and 0 < amount <= AMOUNT_MAX):
        raise AmountUnusable(f"{amount!r} is no amount of dollars")
    if amount != amount.quantize(NANO):
        raise AmountUnusable(f"{amount!r} is finer than nine places")


def _holds(user: User, key: str) -> tuple[Hold | None, list[Hold]]:
    """The hold with this key, and the person's other open ones."""
    mine, others = None, []
    for row in locks.holds(user, key):
        if row.key != key:
            others.append(row)
        elif row.user_id != user.pk:
            raise _misused(f"hold {key} is another person's")
        else:
            mine = row
    return mine, others


def _turn_cap() -> Decimal:
    return settings.TURN_CAP_USD or AMOUNT_MAX  # zero means no cap of ours


def _entry(user: User, **fields: Any) -> BalanceOperation:
    """An operation not posted yet. Its hash says what must be the same when its key comes again:
    not the details, they explain and move nothing."""
    entry = BalanceOperation(user=user, **fields)
    amount = str(entry.amount.quantize(NANO))
    params = [entry.user_id, entry.kind, amount, entry.reason, entry.actor_id]
    entry.params_hash = hashlib.sha256(json.dumps(params).encode()).hexdigest()
    return entry


def _move(user: User, entry: BalanceOperation, *, at_least: Decimal | None = None) -> BalanceOperation:
    """Post an entry unless it was posted before; `at_least` must be available for it, if given."""
    first = _first(entry)
    if first is not None:
        return first
    if at_least is not None and user.available < at_least:
        raise InsufficientFunds(balance=user.balance, held=user.held)
    _post(user, entry)
    _save(user)
    return entry


def _first(entry: BalanceOperation) -> BalanceOperation | None:
    """The operation already posted under this entry's key. Raises KeyMisused when it says another thing."""
    first = BalanceOperation.objects.filter(key=entry.key).first()
    if first is not None and first.params_hash != entry.params_hash:
        raise _misused(f"{entry.key} was {first.kind} {first.amount}, not {entry.kind} {entry.amount}")
    return first


def _post(user: User, entry: BalanceOperation) -> None:
    user.balance += entry.amount
    entry.balance_after = user.balance
    _insert(entry)


def _insert(entry: BalanceOperation) -> None:
    with _key_is_ours(entry.key):
        entry.save(force_insert=True)


@contextmanager
def _key_is_ours(key: str) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        # Of this person it would have been seen under the lock: another one has this key.
        if getattr(error.__cause__, "sqlstate", "") == UNIQUE_VIOLATION:
            raise _misused(f"{key} is another person's") from error
        raise


def _save(user: User, mine: Hold | None = None) -> None:
    """Write the person's sums and, in the same round trip, the hold they changed with."""
    sums: list[Any] = [user.balance, user.held, user.pk]
    with connection.cursor() as cursor:
        if mine is None:
            cursor.execute(SAVE_PERSON, sums)
            return
        changes = [mine.amount, mine.spent, mine.overdraft, mine.state, mine.expires_at]
        if mine.pk is not None:
            cursor.execute(SAVE_HOLD_AND_PERSON, [*changes, mine.pk, *sums])
            return
        with _key_is_ours(mine.key):
            cursor.execute(OPEN_HOLD_AND_SAVE_PERSON, [*sums, *changes, mine.key, user.pk])
        mine.pk = cursor.fetchone()[0]


def _misused(what: str) -> KeyMisused:
    log.error("ledger_key_misused", what=what)
    return KeyMisused(what)
