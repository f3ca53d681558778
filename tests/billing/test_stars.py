"""Stars to dollars and back: many hands, changed rates, what is refused, and the sums after any order of it."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from django.db.models import ProtectedError
from django.utils import timezone

from accounts.models import User
from billing import gifts, ledger, reconcile, refunds, stars, statement, vouchers
from billing.audit import audit
from billing.errors import GiftRefused, OrderRefused, RefundRefused, VoucherRefused
from billing.models import BalanceOperation, Payment, StarRate, Voucher, VoucherUse
from billing.models_stars import worth
from billing.price_sync import FIRST_STAR_RATE
from tests.billing.conftest import all_at_once, person_with, staff

pytestmark = pytest.mark.django_db(transaction=True)
NUMBERS = count(1)


@pytest.fixture(autouse=True)
def rate(db: None) -> StarRate:
    return StarRate.objects.create(effective_from=timezone.now() - timedelta(days=1), **FIRST_STAR_RATE)


def paid(user: User, amount: int = 100, *, charge: str = "", payload: str | None = None) -> Payment:
    if payload is None:
        payload = stars.order(user.pk, amount).payload or ""
    charge = charge or f"c{next(NUMBERS)}"
    return stars.take_payment(user.pk, stars.Paid(charge, payload, amount, timezone.now()))


def balance(user: User) -> Decimal:
    return User.objects.values_list("balance", flat=True).get(pk=user.pk)


def raised(outcomes: list[Any]) -> list[Exception]:
    return [outcome for outcome in outcomes if isinstance(outcome, Exception)]


# What a Star is worth ----------------------------------------------------------------------------


def test_a_hundred_stars_are_65_cents_and_52_with_a_tenth_for_the_owner(rate: StarRate):
    assert worth(100, rate) == Decimal("0.65")
    rate.k3 = Decimal("0.10")
    assert worth(100, rate) == Decimal("0.52")


def test_ten_thousand_payments_of_one_star_are_exact(rate: StarRate):
    rate.k3 = Decimal("0.123456")
    assert sum(worth(1, rate) for _ in range(10_000)) == 10_000 * worth(1, rate) == worth(10_000, rate)


@pytest.mark.parametrize("amount", [0, -5, 2501, 10**9])
def test_an_order_of_no_sane_amount_is_refused(amount: int):
    with pytest.raises(OrderRefused, match="amount"):
        stars.order(person_with("0").pk, amount)
    assert not Payment.objects.exists()


# Paying ------------------------------------------------------------------------------------------


def test_one_payment_told_ten_times_at_once_is_one_credit():
    user = person_with("0")
    order = stars.order(user.pk, 100)
    one = stars.Paid("c-ten", order.payload or "", 100, timezone.now())
    outcomes = all_at_once([lambda: stars.take_payment(user.pk, one)] * 10)
    assert not raised(outcomes)
    assert balance(user) == Decimal("1.65")
    assert Payment.objects.count() == 1
    assert audit() == []


def test_one_order_paid_with_ten_charges_at_once_is_ten_credits_of_which_nine_are_flagged():
    user = person_with("0")
    payload = stars.order(user.pk, 100).payload
    charges = [f"c-many-{number}" for number in range(10)]
    outcomes = all_at_once(
        lambda charge=charge: paid(user, charge=charge, payload=payload) for charge in charges
    )
    assert not raised(outcomes)
    assert balance(user) == Decimal("7.50")
    assert Payment.objects.filter(flagged=True).count() == 9


def test_what_was_paid_counts_not_what_was_ordered():
    user = person_with("0")
    payload = stars.order(user.pk, 100).payload or ""
    row = stars.take_payment(user.pk, stars.Paid("c-less", payload, 60, timezone.now()))
    assert (row.usd, row.flagged) == (Decimal("0.39"), True)


def test_an_order_paid_long_after_it_expired_is_credited_and_flagged():
    user = person_with("0")
    payload = stars.order(user.pk, 100).payload or ""
    Payment.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    row = paid(user, payload=payload)
    assert (row.usd, row.flagged) == (Decimal("0.65"), True)


def test_a_person_with_payments_cannot_be_deleted():
    user = person_with("0")
    paid(user)
    with pytest.raises(ProtectedError):
        user.delete()


# Giving back -------------------------------------------------------------------------------------


def test_a_refund_asked_for_five_times_at_once_is_debited_and_called_once():
    user = person_with("0")
    User.objects.filter(pk=user.pk).update(telegram_id=7)
    payment = paid(user)
    asked = all_at_once([lambda: refunds.request(payment.pk, by_user=user.pk, reason="x")] * 5)
    assert [type(error) for error in raised(asked)] == [RefundRefused] * 4
    assert sum(all_at_once([lambda: refunds.debit(payment.pk)] * 5)) == 1
    calls = all_at_once([lambda: refunds.claim_call(payment.pk)] * 5)
    assert not raised(calls)
    assert sum(call is not None for call in calls) == 1
    assert balance(user) == 1
    assert audit() == []


def test_a_refund_looks_at_what_is_available_not_at_what_is_held():
    user = person_with("0")
    payment = paid(user)
    ledger.hold(user.pk, key="turn:r", estimate=Decimal("0.50"), expires_in=timedelta(minutes=5))
    refunds.request(payment.pk, by_user=user.pk, reason="x")
    ledger.hold(user.pk, key="turn:s", estimate=Decimal("0.50"), expires_in=timedelta(minutes=5))
    ledger.hold(user.pk, key="turn:t", estimate=Decimal("0.01"), expires_in=timedelta(minutes=5))
    assert not refunds.debit(payment.pk), "between the wish and the debit another turn took it"
    payment.refresh_from_db()
    assert (payment.state, balance(user)) == ("paid", Decimal("1.65"))
    with pytest.raises(RefundRefused, match="spent"):
        refunds.request(payment.pk, by_user=user.pk, reason="x")


def test_refunds_and_charges_at_once_leave_nobody_with_both():
    for _ in range(5):
        user = person_with("0")
        payment = paid(user)
        hold = f"turn:race:{user.pk}"
        ledger.hold(user.pk, key=hold, estimate=Decimal("0.5"), expires_in=timedelta(minutes=5))

        def give_back(payment: Payment = payment, user: User = user) -> bool:
            refunds.request(payment.pk, by_user=user.pk, reason="x")
            return refunds.debit(payment.pk)

        spend = [
            lambda hold=hold, n=n: ledger.settle(hold, key=f"{hold}:{n}", amount=Decimal("0.1"), details={})
            for n in range(12)
        ]
        all_at_once([*spend[:6], give_back, *spend[6:]])
        payment.refresh_from_db()
        took = payment.state == "refund_debited"
        assert balance(user) == Decimal("1.65") - Decimal("1.2") - (payment.usd if took else 0)
    assert audit() == []


def test_a_payment_goes_back_to_who_made_it_and_to_nobody_else():
    payment, other = paid(person_with("0")), person_with("5")
    for wrong in (payment.pk, -1, 10**9):
        with pytest.raises(RefundRefused, match="unknown"):
            refunds.request(wrong, by_user=other.pk, reason="x")
    payment.refresh_from_db()
    assert payment.state == "paid"


def test_an_old_payment_goes_back_by_force_only():
    user = person_with("0")
    payment = paid(user)
    Payment.objects.update(paid_at=timezone.now() - timedelta(days=31))
    with pytest.raises(RefundRefused, match="old"):
        refunds.request(payment.pk, by_user=user.pk, reason="x")
    refunds.request(payment.pk, by_staff=staff().pk, reason="x", force=True)
    assert refunds.debit(payment.pk)


def test_a_refund_refused_and_asked_again_moves_its_dollars_each_time():
    user = person_with("0")
    User.objects.filter(pk=user.pk).update(telegram_id=4242)
    payment = paid(user)
    for _ in range(3):
        refunds.request(payment.pk, by_user=user.pk, reason="x")
        assert refunds.debit(payment.pk)
        assert balance(user) == 1
        assert refunds.claim_call(payment.pk) == refunds.Call(4242, payment.charge_id or "")
        refunds.refused(payment.pk, "no")
        refunds.refused(payment.pk, "no")
        assert balance(user) == Decimal("1.65")
    assert refunds.gone_back(payment.charge_id or "") is not None, "and then somebody else gave it back"
    assert balance(user) == 1
    assert audit() == []


def test_what_goes_back_elsewhere_at_once_with_ours_leaves_once():
    for _ in range(5):
        user = person_with("0")
        payment = paid(user)
        charge = payment.charge_id or ""
        refunds.request(payment.pk, by_user=user.pk, reason="x")
        outcomes = all_at_once(
            [lambda charge=charge: refunds.gone_back(charge)] * 3
            + [lambda pk=payment.pk: refunds.debit(pk)] * 2
            + [lambda charge=charge: refunds.gone_back(charge, chargeback=True)]
        )
        assert not raised(outcomes)
        payment.refresh_from_db()
        assert (payment.state, balance(user)) == ("refunded", 1)
    assert audit() == []


def test_the_list_of_a_restored_database_is_made_up_for_page_by_page():
    user = person_with("0")
    lines = [
        reconcile.Transaction(
            id=f"old-{number}", kind="payment", incoming=True, stars=1, at=timezone.now(),
            person=None, payload="",
        )
        for number in range(3)
    ]  # fmt: skip
    found = reconcile.Found()
    reconcile.compare(lines, found)
    assert (found.credited, found.unmatched) == (0, 3), "nobody to credit: it is listed"
    assert reconcile.begin() == 0
    reconcile.note(250)
    assert reconcile.begin() == 150
    reconcile.note(10)
    assert reconcile.begin() == 150, "a slower run takes nothing back"
    assert balance(user) == 0


# Gifts and vouchers ------------------------------------------------------------------------------


def test_two_who_give_to_each_other_at_once_never_wait_for_each_other():
    anna, boris = person_with("5"), person_with("5")
    calls = [
        lambda n=n: gifts.give(
            *((anna.pk, boris.pk) if n % 2 else (boris.pk, anna.pk)), Decimal("0.10"), key=f"gift:{n}"
        )
        for n in range(40)
    ]
    assert not raised(all_at_once(calls))
    assert (balance(anna), balance(boris)) == (5, 5)
    assert audit() == []


def test_a_gift_pressed_ten_times_at_once_is_one_and_no_more_than_there_is():
    anna, boris = person_with("1"), person_with("0")
    again = all_at_once(
        lambda n=n: gifts.give(anna.pk, boris.pk, Decimal("0.30"), key="gift:a", press=str(n))
        for n in range(10)
    )
    assert sum(gift.is_new for gift in again) == 1
    assert balance(boris) == Decimal("0.30")
    others = all_at_once(
        lambda n=n: gifts.give(anna.pk, boris.pk, Decimal("0.30"), key=f"gift:b{n}") for n in range(10)
    )
    assert sorted(Counter(map(type, raised(others))).items(), key=str) == [(GiftRefused, 8)]
    assert (balance(anna), balance(boris)) == (Decimal("0.10"), Decimal("0.90"))


def test_a_gift_below_what_is_held_is_refused():
    anna, boris = person_with("1"), person_with("0")
    ledger.hold(anna.pk, key="turn:g", estimate=Decimal("0.5"), expires_in=timedelta(minutes=5))
    with pytest.raises(GiftRefused, match="not_enough"):
        gifts.give(anna.pk, boris.pk, Decimal("0.51"), key="gift:h")
    assert balance(boris) == 0


def test_one_code_tried_fifty_times_at_once_by_one_person_pays_once():
    anna = person_with("0")
    Voucher.objects.create(code="ONCE", usd=Decimal(2), uses=25, reason="x", made_by=staff())
    outcomes = all_at_once([lambda: vouchers.redeem(anna.pk, "once")] * 50)
    assert Counter(str(outcome) for outcome in outcomes) == {"2.000000000": 1, "again": 49}
    assert balance(anna) == 2


def test_a_code_for_three_tried_by_fifty_people_at_once_pays_three():
    people = [person_with("0") for _ in range(50)]
    Voucher.objects.create(code="THREE", usd=Decimal(2), uses=3, reason="x", made_by=staff())
    outcomes = all_at_once(lambda user=user: vouchers.redeem(user.pk, "THREE") for user in people)
    assert {type(error) for error in raised(outcomes)} == {VoucherRefused}
    assert VoucherUse.objects.count() == Voucher.objects.get().used == 3
    assert BalanceOperation.objects.filter(kind="grant").count() == 3
    assert audit() == []


# The account -------------------------------------------------------------------------------------


def test_a_day_s_answers_are_one_line_and_a_month_is_counted_by_days():
    user = person_with("5")
    ledger.hold(user.pk, key="turn:st", estimate=Decimal("0.5"), expires_in=timedelta(minutes=5))
    for number in range(12):
        ledger.settle("turn:st", key=f"turn:st:{number}", amount=Decimal("0.01"), details={})
    account = statement.statement_of(user.pk)
    assert [(line.kind, line.amount, line.count) for line in account.lines] == [
        ("usage", Decimal("-0.12"), 12),
        ("top_up", 5, 1),
    ]
    assert len(account.days) == 30
    assert account.used == account.dearest[1] == Decimal("0.12")
    assert account.held == Decimal("0.38")
