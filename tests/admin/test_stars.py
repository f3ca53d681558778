"""Payments, unmatched transactions and vouchers at the desk."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.admin_pages import address_of, list_address
from accounts.models import Staff, User
from billing import ledger, reconcile, refunds, stars, vouchers
from billing.errors import VoucherRefused
from billing.models import Payment, StarRate, UnmatchedTransaction, Voucher
from billing.price_sync import FIRST_STAR_RATE
from tests.admin.conftest import at_desk


@pytest.fixture
def payment(anna: User) -> Payment:
    """100 Stars of Anna's, who then has $10.65 and her first dollar."""
    StarRate.objects.create(effective_from=timezone.now() - timedelta(days=1), **FIRST_STAR_RATE)
    order = stars.order(anna.pk, 100)
    return stars.take_payment(
        anna.pk, stars.Paid(charge_id="c1", payload=order.payload or "", stars=100, at=timezone.now())
    )


def refund(payment: Payment) -> str:
    return reverse("admin:billing_payment_refund", args=[payment.pk])


def test_a_refund_asked_for_at_the_desk_waits_for_the_bot(felix: Staff, payment: Payment) -> None:
    assert at_desk(felix).post(refund(payment), {"reason": "By mistake"}).status_code == 302
    payment.refresh_from_db()
    assert (payment.state, payment.refund_actor, payment.refund_reason) == (
        "refund_requested", felix, "By mistake",
    )  # fmt: skip
    assert refunds.under_way() == [payment.pk]
    assert LogEntry.objects.get().change_message == "Asked for a refund: By mistake"


def test_a_refund_needs_a_reason_and_the_permission(felix: Staff, sofia: Staff, payment: Payment) -> None:
    assert at_desk(felix).post(refund(payment), {"reason": ""}).status_code == 200
    assert at_desk(sofia).post(refund(payment), {"reason": "please"}).status_code == 403
    payment.refresh_from_db()
    assert payment.state == "paid"


def test_what_is_spent_goes_back_only_by_force(felix: Staff, payment: Payment) -> None:
    ledger.debit(payment.user_id, key="spent", amount=Decimal("11.60"), kind="gift_out")
    page = at_desk(felix).post(refund(payment), {"reason": "Owed"})
    assert "Less is available" in page.content.decode()
    assert at_desk(felix).post(refund(payment), {"reason": "Owed", "force": "on"}).status_code == 302
    assert refunds.debit(payment.pk)
    assert User.objects.get(pk=payment.user_id).balance == Decimal("-0.60")


def test_what_cannot_go_back_has_no_button(felix: Staff, payment: Payment) -> None:
    desk = at_desk(felix)
    assert refund(payment) in desk.get(address_of(payment)).content.decode()
    Payment.objects.update(state="refunded")
    assert refund(payment) not in desk.get(address_of(payment)).content.decode()


def test_reconcile_now_is_a_wish_the_bot_reads(felix: Staff, sofia: Staff) -> None:
    address = reverse("admin:billing_payment_reconcile_now")
    assert at_desk(sofia).get(address).status_code == 403
    assert not reconcile.is_asked()
    assert at_desk(felix).get(address).status_code == 302
    assert reconcile.is_asked()


def test_an_unmatched_transaction_is_settled_with_words(felix: Staff) -> None:
    row = UnmatchedTransaction.objects.create(
        transaction_id="t1", incoming=False, stars=50, partner="fragment", happened_at=timezone.now()
    )
    desk = at_desk(felix)
    assert address_of(row) in desk.get(list_address(UnmatchedTransaction, settled="no")).content.decode()
    address = reverse("admin:billing_unmatchedtransaction_settle", args=[row.pk])
    assert desk.post(address, {"reason": "Our withdrawal"}).status_code == 302
    row.refresh_from_db()
    assert row.settled_at
    assert row.settled_reason == "Our withdrawal"
    assert address_of(row) not in desk.get(list_address(UnmatchedTransaction, settled="no")).content.decode()


def test_a_voucher_is_made_with_a_reason_redeemed_and_closed(felix: Staff, sofia: Staff, anna: User) -> None:
    address = reverse("admin:billing_voucher_add")
    fields = {"code": " spring ", "usd": "2.5", "uses": "2", "expires_at_0": "", "expires_at_1": ""}
    assert at_desk(sofia).post(address, {**fields, "reason": "x"}).status_code == 403
    assert at_desk(felix).post(address, {**fields, "reason": ""}).status_code == 200
    assert at_desk(felix).post(address, {**fields, "reason": "Spring"}).status_code == 302
    voucher = Voucher.objects.get()
    assert (voucher.code, voucher.made_by) == ("SPRING", felix)
    assert vouchers.redeem(anna.pk, "spring") == Decimal("2.5")
    assert "1 of 2" in at_desk(felix).get(address_of(voucher)).content.decode()
    close = reverse("admin:billing_voucher_close", args=[voucher.pk])
    assert at_desk(felix).post(close, {"reason": "Over"}).status_code == 302
    other = User.objects.create(first_name="Boris")
    with pytest.raises(VoucherRefused, match="expired"):
        vouchers.redeem(other.pk, "SPRING")


# A large voucher ---------------------------------------------------------------------------------


@pytest.fixture
def frida(db: None) -> Staff:
    """Of Finance, too."""
    staff = Staff.objects.create_user("frida", is_staff=True)
    staff.groups.add(Group.objects.get(name="Finance"))
    return staff


def make_voucher(staff: Staff, usd: str, uses: str) -> Voucher:
    fields = {"code": "SPRING", "usd": usd, "uses": uses, "expires_at_0": "", "expires_at_1": ""}
    response = at_desk(staff).post(reverse("admin:billing_voucher_add"), {**fields, "reason": "Spring"})
    assert response.status_code == 302
    return Voucher.objects.get()


def confirm(staff: Staff, voucher: Voucher) -> int:
    address = reverse("admin:billing_voucher_confirm", args=[voucher.pk])
    return at_desk(staff).post(address, {"reason": "It is agreed"}).status_code


@pytest.mark.parametrize(("usd", "uses"), [("50.01", "1"), ("1", "51"), ("0.51", "100")])
def test_a_voucher_that_gives_away_much_waits_for_somebody_else(
    usd: str, uses: str, felix: Staff, frida: Staff, sofia: Staff, anna: User
) -> None:
    voucher = make_voucher(felix, usd, uses)
    with pytest.raises(VoucherRefused, match="not_yet"):
        vouchers.redeem(anna.pk, "SPRING")
    assert [confirm(staff, voucher) for staff in (felix, sofia)] == [403, 403]
    assert confirm(frida, voucher) == 302
    voucher.refresh_from_db()
    assert (voucher.made_by, voucher.confirmed_by) == (felix, frida)
    assert "Confirmed. It is agreed" in [
        entry.change_message for entry in LogEntry.objects.filter(user=frida)
    ]
    assert confirm(frida, voucher) == 403, "once"
    assert vouchers.redeem(anna.pk, "SPRING") == Decimal(usd)


def test_a_small_voucher_needs_nobody_else(felix: Staff, frida: Staff, anna: User) -> None:
    voucher = make_voucher(felix, "0.5", "100")
    assert confirm(frida, voucher) == 403
    assert vouchers.redeem(anna.pk, "SPRING") == Decimal("0.5")


def test_the_table_itself_keeps_a_large_voucher_closed_and_its_maker_from_confirming_it(
    felix: Staff,
) -> None:
    voucher = make_voucher(felix, "60", "1")
    for change in ({"used": 1}, {"confirmed_by": felix}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Voucher.objects.filter(pk=voucher.pk).update(**change)
    assert not vouchers.confirm(voucher.pk, by=felix.pk)
