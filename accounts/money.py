"""Dollars as a person reads them. Pure.

Nobody is shown more than they have, nor less than they pay: what somebody has or gets is rounded down, what
something costs is rounded up. So a balance of a dollar of which anything was spent never reads $1.00.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

COARSE_FROM = Decimal(10)  # dollars; from there on the cents are enough
FINE_BELOW = Decimal("0.01")  # dollars; below, the first two digits that are not zero
PLACES_MAX = 9  # the ledger's last place
CENTS, HUNDREDTHS_OF_A_CENT = 2, 4  # places


def dollars(amount: Decimal) -> str:
    """What somebody has, gets or owes, rounded down: $14.37, $0.9955, $0.0021, −$0.0045."""
    return _shown(amount, ROUND_FLOOR)


def cost_dollars(amount: Decimal) -> str:
    """What something costs or sets aside, rounded up: $14.38, $0.9956, $0.0045."""
    return _shown(amount, ROUND_CEILING)


def exact_dollars(amount: Decimal) -> str:
    """Every digit there is, and at least the cents: $4.37, −$0.000001234."""
    places = max(CENTS, -int(amount.normalize().as_tuple().exponent))
    return _written(amount, places)


def _shown(amount: Decimal, rounding: str) -> str:
    """The digits that matter: the cents, and the hundredths of a cent of small sums that have any."""
    size = abs(amount)
    if size >= COARSE_FROM:
        places = CENTS
    elif size >= FINE_BELOW or not size:
        places = HUNDREDTHS_OF_A_CENT
    else:
        places = min(PLACES_MAX, 1 - size.adjusted())
    shown = amount.quantize(Decimal(1).scaleb(-places), rounding=rounding)
    needed = -int(shown.normalize().as_tuple().exponent)
    return _written(shown, max(CENTS, needed))


def _written(amount: Decimal, places: int) -> str:
    sign = "−" if amount < 0 else ""
    return f"{sign}${abs(amount):,.{places}f}"
