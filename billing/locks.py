"""The rows of money, locked in their one order and read: the person first, then the hold.

The statements are written out, as every turn asks them three times: Django needs longer to write one
than PostgreSQL to answer it.
"""

from datetime import datetime

from django.db import connection

from accounts.models import User
from billing.errors import HoldUnknown
from billing.models import Hold

PERSON = (
    "id",
    "daily_cap",
    "balance",
    "held",
    "spending_blocked_at",
    "created_at",
)  # as the table has them: from_db counts
# The statement's clock and not the transaction's: a lock may have been waited for.
LOCKED = (
    "SELECT person.id, daily_cap, balance, held, spending_blocked_at, person.created_at, statement_timestamp()"
    " FROM accounts_user AS person"
)
LOCK_PERSON = f"{LOCKED} WHERE id = %s FOR UPDATE"
LOCK_PERSON_OF_HOLD = f"{LOCKED} JOIN billing_hold ON user_id = person.id WHERE key = %s FOR UPDATE OF person"
LOCK_HOLD = """
    SELECT *, EXISTS (SELECT FROM billing_balanceoperation WHERE key = %s) AS posted
    FROM billing_hold WHERE key = %s FOR UPDATE
"""
HOLDS = "SELECT * FROM billing_hold WHERE key = %s OR (user_id = %s AND state = 'open')"


def person(user_id: int) -> tuple[User, datetime]:
    """A person's sums, locked until the transaction ends, and the database's clock."""
    found = _locked(LOCK_PERSON, user_id)
    if found is None:
        raise User.DoesNotExist(f"no person {user_id}")
    return found


def person_of(hold_key: str) -> tuple[User, datetime]:
    """The same for the person whose hold this is; the hold itself is read after, under that lock."""
    found = _locked(LOCK_PERSON_OF_HOLD, hold_key)
    if found is None:
        raise HoldUnknown(f"no hold {hold_key}")
    return found


def _locked(statement: str, whose: int | str) -> tuple[User, datetime] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [whose])
        row = cursor.fetchone()
    return None if row is None else (User.from_db("default", PERSON, row[:-1]), row[-1])


def hold(key: str, *, operation: str = "") -> tuple[Hold, bool]:
    """A hold, locked, and whether an operation with this key was posted already."""
    found = Hold.objects.raw(LOCK_HOLD, [operation, key])[0]
    return found, bool(vars(found)["posted"])


def holds(user: User, key: str) -> list[Hold]:
    """The hold with this key, whosever it is, and the person's open ones. Call with the person locked."""
    return list(Hold.objects.raw(HOLDS, [key, user.pk]))
