"""Dollars as people read them: the digits that matter, and never a flattering one."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.money import cost_dollars, dollars, exact_dollars

nanos = st.integers(-(10**14), 10**14).map(lambda number: Decimal(number).scaleb(-9))


def read(shown: str) -> Decimal:
    """The number somebody takes from what they see."""
    return Decimal(shown.replace("−", "-").replace("$", "").replace(",", ""))


@pytest.mark.parametrize(
    ("amount", "has", "costs"),
    [
        ("0", "$0.00", "$0.00"),
        ("1", "$1.00", "$1.00"),
        ("0.995591", "$0.9955", "$0.9956"),
        ("0.999999999", "$0.9999", "$1.00"),
        ("0.65", "$0.65", "$0.65"),
        ("2.625", "$2.625", "$2.625"),
        ("9.99995", "$9.9999", "$10.00"),
        ("10.659", "$10.65", "$10.66"),
        ("1234.5", "$1,234.50", "$1,234.50"),
        ("0.0124", "$0.0124", "$0.0124"),
        ("0.002147", "$0.0021", "$0.0022"),
        ("0.00002147", "$0.000021", "$0.000022"),
        ("0.000000001", "$0.000000001", "$0.000000001"),
        ("0.00999", "$0.0099", "$0.01"),
        ("-0.00441", "−$0.0045", "−$0.0044"),
        ("-0.1", "−$0.10", "−$0.10"),
    ],
)
def test_what_somebody_has_is_rounded_down_and_what_they_pay_up(amount: str, has: str, costs: str):
    assert (dollars(Decimal(amount)), cost_dollars(Decimal(amount))) == (has, costs)


@given(nanos)
def test_nobody_is_shown_more_than_they_have_or_less_than_they_pay(amount: Decimal):
    assert read(dollars(amount)) <= amount <= read(cost_dollars(amount))
    assert read(exact_dollars(amount)) == amount


@given(st.integers(1, 999_999_999))
def test_a_dollar_of_which_anything_was_spent_never_reads_as_a_whole_one(nano: int):
    assert read(dollars(1 - Decimal(nano).scaleb(-9))) < 1


@given(nanos.filter(lambda amount: Decimal("0.01") <= abs(amount) < 10))
def test_below_ten_dollars_a_hundredth_of_a_cent_is_never_hidden(amount: Decimal):
    assert amount - read(dollars(amount)) < Decimal("0.0001")


def test_every_digit_is_there_where_every_digit_counts():
    assert exact_dollars(Decimal("4.370000000")) == "$4.37"
    assert exact_dollars(Decimal("-0.000001234")) == "−$0.000001234"
    assert exact_dollars(Decimal("1E+3")) == "$1,000.00"
