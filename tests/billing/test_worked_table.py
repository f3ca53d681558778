"""The table of packages in docs/stars.md: it adds up, it says what a person reads, and it is what is credited."""

from decimal import Decimal
from typing import NamedTuple

import pytest
from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from billing import stars
from billing.models import BalanceOperation, StarRate
from billing.price_sync import FIRST_STAR_RATE
from tests.billing.conftest import person_with

pytestmark = pytest.mark.django_db

# Worked by hand: Stars, × $0.013, 35 % of it, 15 % of it, what is left; a tenth of it for the owner, what is left then.
WORKED = {
    "Micro": ("10", "0.13", "0.0455", "0.0195", "0.065", "0.013", "0.052"),
    "Starter": ("50", "0.65", "0.2275", "0.0975", "0.325", "0.065", "0.26"),
    "Basic": ("100", "1.30", "0.455", "0.195", "0.65", "0.13", "0.52"),
    "Standard": ("250", "3.25", "1.1375", "0.4875", "1.625", "0.325", "1.30"),
    "Premium": ("500", "6.50", "2.275", "0.975", "3.25", "0.65", "2.60"),
    "Every month": ("250", "3.25", "1.1375", "0.4875", "1.625", "0.325", "1.30"),
}


class Row(NamedTuple):
    """One line of the table, in its order."""

    stars: Decimal
    paid: Decimal
    k1: Decimal
    k2: Decimal
    credited: Decimal
    k3: Decimal
    credited_with_margin: Decimal


def the_table() -> dict[str, Row]:
    page = (settings.BASE_DIR / "docs" / "stars.md").read_text()
    part = page.partition("<!-- generated: packages -->")[2].partition("<!-- end: packages -->")[0]
    lines = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| ")]
    return {name: Row(*map(number, cells)) for name, *cells in lines[2:]}


def number(cell: str) -> Decimal:
    return Decimal(cell.strip("$* ").removesuffix(" a month").strip("$* "))


def test_the_table_is_the_one_worked_by_hand():
    assert the_table() == {name: Row(*map(Decimal, row)) for name, row in WORKED.items()}


def test_every_line_of_the_table_adds_up():
    for name, row in the_table().items():
        assert row.stars * Decimal("0.013") == row.paid, name
        assert row.paid - row.k1 - row.k2 == row.credited, name
        assert row.credited - row.k3 == row.credited_with_margin, name


@pytest.mark.parametrize(("margin", "column"), [("0", "credited"), ("0.10", "credited_with_margin")])
@pytest.mark.parametrize("package", stars.PACKAGES.values(), ids=stars.PACKAGES)
def test_every_package_is_credited_as_the_table_says(package: stars.Package, margin: str, column: str):
    StarRate.objects.create(effective_from=Now(), **{**FIRST_STAR_RATE, "k3": Decimal(margin)})
    user = person_with("0")
    order = stars.order(user.pk, package.stars, package=package.name, monthly=package.monthly)
    stars.take_payment(user.pk, stars.Paid("charge", order.payload or "", package.stars, timezone.now()))
    entry = BalanceOperation.objects.get(key="pay:charge")
    assert entry.amount == getattr(the_table()[str(package.title)], column)


def test_a_hundred_stars_are_65_cents():
    assert the_table()["Basic"].credited == Decimal("0.65")
