"""Dollars as a person reads them. Pure."""

from decimal import ROUND_HALF_EVEN, Decimal


def dollars(amount: Decimal) -> str:
    """The digits that matter: $4.37, $0.0021, −$0.10; below a cent, two significant digits."""
    sign = "−" if amount < 0 else ""
    size = abs(amount)
    places = 2
    if 0 < size < Decimal("0.01"):
        places = min(9, 1 - size.adjusted())
    shown = size.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    return f"{sign}${shown:,f}"


def exact_dollars(amount: Decimal) -> str:
    """Every digit there is, and at least the cents: $4.37, −$0.000001234."""
    sign = "−" if amount < 0 else ""
    size = abs(amount).normalize()
    places = max(2, -int(size.as_tuple().exponent))
    return f"{sign}${size:,.{places}f}"
