"""The audit: do the sums kept on a person's row agree with the rows they are sums of?"""

from dataclasses import asdict, dataclass
from decimal import Decimal

import structlog
from django.db import connection
from django.db.models.functions import Now

from accounts.models import User

# One statement sees one moment, and every verb changes both sides in one transaction: no false alarm.
DISAGREEING = """
    SELECT person.id, person.balance, COALESCE(operations.total, 0), person.held, COALESCE(holds.total, 0)
    FROM accounts_user AS person
    LEFT JOIN (SELECT user_id, SUM(amount) AS total FROM billing_balanceoperation GROUP BY user_id)
        AS operations ON operations.user_id = person.id
    LEFT JOIN (SELECT user_id, SUM(amount) AS total FROM billing_hold WHERE state = 'open' GROUP BY user_id)
        AS holds ON holds.user_id = person.id
    WHERE person.balance <> COALESCE(operations.total, 0) OR person.held <> COALESCE(holds.total, 0)
    ORDER BY person.id
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A person whose sums do not agree: what is kept, and what the rows say."""

    user_id: int
    balance: Decimal
    operations: Decimal
    held: Decimal
    holds: Decimal


def disagreeing() -> list[Mismatch]:
    """Everybody whose sums do not agree, as they stand now."""
    with connection.cursor() as cursor:
        cursor.execute(DISAGREEING)
        return [Mismatch(*row) for row in cursor.fetchall()]


def audit() -> list[Mismatch]:
    """Find every disagreement, alert, and block that person's spending. Mends nothing: staff must look."""
    found = disagreeing()
    for mismatch in found:
        log.error("ledger_mismatch", **asdict(mismatch))
    spending = User.objects.filter(
        pk__in=[mismatch.user_id for mismatch in found], spending_blocked_at__isnull=True
    )
    if found:
        spending.update(spending_blocked_at=Now())
    return found
