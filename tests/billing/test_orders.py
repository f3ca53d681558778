"""Orders that nobody paid are forgotten in the end; what was paid never is."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing import stars
from billing.models import Payment, StarRate
from billing.price_sync import FIRST_STAR_RATE
from billing.tasks import prune_orders
from tests.billing.conftest import person_with

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _rate(db: None) -> None:
    StarRate.objects.create(effective_from=timezone.now() - timedelta(days=90), **FIRST_STAR_RATE)


def ended(days_ago: int) -> Payment:
    order = stars.order(person_with("0").pk, 100)
    Payment.objects.filter(pk=order.pk).update(expires_at=timezone.now() - timedelta(days=days_ago))
    return order


def test_an_order_nobody_paid_is_forgotten_a_month_after_its_end():
    old, newer = ended(31), ended(29)
    assert prune_orders() == 1
    assert list(Payment.objects.all()) == [newer]
    paid = stars.Paid("late", old.payload or "", 100, timezone.now())
    late = stars.take_payment(old.user_id, paid)
    assert late.flagged, "and paid all the same it is credited, and looked at"
    assert late.usd == old.usd


def test_what_was_paid_stays():
    order = ended(31)
    stars.take_payment(order.user_id, stars.Paid("c1", order.payload or "", 100, timezone.now()))
    assert prune_orders() == 0
    assert Payment.objects.count() == 1
