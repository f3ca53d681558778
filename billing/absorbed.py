"""What vendors ask and nobody is charged for, written down once per call: the operator pays it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import structlog

from billing.models import AbsorbedCost, BalanceOperation

log = structlog.get_logger(__name__)


def absorb(
    key: str,
    *,
    user_id: int,
    kind: AbsorbedCost.Kind,
    cost: Decimal,
    details: Mapping[str, Any],
    charged_as: str = "",
) -> None:
    """Book a cost as the operator's. The same key again, or nothing to pay: nothing.

    `charged_as` is the key its charge would have: an operation there with these very details is this call,
    kept by a commit whose answer got lost, and somebody has paid for it.
    """
    if cost <= 0:
        return
    if charged_as and BalanceOperation.objects.filter(key=charged_as, details=details).exists():
        return
    row = AbsorbedCost(key=key, user_id=user_id, kind=kind, cost=cost, details=dict(details))
    AbsorbedCost.objects.bulk_create([row], ignore_conflicts=True)
    log.info("cost_absorbed", key=key, kind=kind.value, cost=cost)
