"""Redeeming a voucher: once per person, as often as it says, and never by trying codes."""

from datetime import timedelta
from decimal import Decimal

from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.services import lock_user
from billing import ledger
from billing.errors import VoucherRefused
from billing.models import BalanceOperation, Voucher, VoucherUse, WrongCode
from billing.transactions import atomically

WRONG_MAX = 5  # wrong codes of one person within the hour; then even right ones wait
WRONG_WITHIN = timedelta(hours=1)


def redeem(user_id: int, code: str) -> Decimal:
    """Credit what the code is worth and return it. Raises VoucherRefused."""
    usd, refusal = _try(user_id, code.strip().upper())
    if refusal:
        raise VoucherRefused(refusal)
    return usd


def confirm(voucher_id: int, *, by: int) -> bool:
    """Somebody else than who made it says yes to a large voucher; False when nobody is needed, or it is their own."""
    waiting = Voucher.objects.filter(pk=voucher_id, confirmed_at__isnull=True).exclude(made_by=by)
    return bool(waiting.update(confirmed_by=by, confirmed_at=Now()))


@atomically
def _try(user_id: int, code: str) -> tuple[Decimal, str]:
    """The dollars, or why there are none; a refusal is returned, for a wrong code leaves a row behind."""
    lock_user(user_id)
    nothing = Decimal(0)
    WrongCode.objects.filter(user_id=user_id, created_at__lt=timezone.now() - WRONG_WITHIN).delete()
    if WrongCode.objects.filter(user_id=user_id).count() >= WRONG_MAX:
        return nothing, "slowly"
    voucher = Voucher.objects.filter(code=code).first()
    if voucher is None:
        WrongCode.objects.create(user_id=user_id)
        return nothing, "unknown"
    if voucher.waits:
        return nothing, "not_yet"
    if VoucherUse.objects.filter(voucher=voucher, user_id=user_id).exists():
        return nothing, "again"
    good = Voucher.objects.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=Now()), pk=voucher.pk)
    if not good.exists():
        return nothing, "expired"
    if not good.filter(used__lt=F("uses")).update(used=F("used") + 1):
        return nothing, "used"
    VoucherUse.objects.create(voucher=voucher, user_id=user_id)
    ledger.credit(
        user_id,
        key=f"voucher:{voucher.pk}:{user_id}",
        amount=voucher.usd,
        kind=BalanceOperation.Kind.GRANT,
        details={"voucher": voucher.code},
        reason=voucher.reason,
    )
    return voucher.usd, ""
