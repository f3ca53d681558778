"""What the ledger and the price list say no with. The words a person reads are in templates, by `key`."""

from decimal import Decimal


class BillingError(Exception):
    """Any failure of this app."""


class SpendingRefused(BillingError):
    """This person may not spend now. `key` names the sentence they get."""

    key = "refused"

    def __init__(self, *, balance: Decimal, held: Decimal) -> None:
        super().__init__(f"{self.key}: balance {balance}, held {held}")
        self.balance = balance
        self.held = held


class InsufficientFunds(SpendingRefused):
    """Nothing is available: the balance is used up, or all of it is held for answers under way."""

    key = "no_funds"


class SpendingBlocked(SpendingRefused):
    """The audit found sums that do not agree; staff must look before more is spent."""

    key = "spending_blocked"


class CapReached(SpendingRefused):
    """Today's cap of this person, or of the whole bot, is used up; it opens again at midnight UTC."""

    key = "daily_cap"


class TooManyTurns(SpendingRefused):
    """As many turns of this person are running as may run at once."""

    key = "too_many_turns"


class LedgerMisused(BillingError):
    """A call that no correct caller makes; nothing was changed."""


class KeyMisused(LedgerMisused):
    """A key came again with other parameters, or for another person."""


class AmountUnusable(LedgerMisused, ValueError):
    """No amount of money: not a Decimal, NaN, of the wrong sign, finer than nine places, or absurd."""


class HoldUnknown(LedgerMisused):
    """No hold has this key."""


class HoldClosed(LedgerMisused):
    """The hold was released: its turn is over and may not spend through it any more."""


class PriceUnknown(BillingError):
    """There is no usable, enabled price: nothing may be asked of this model or unit."""


class ProposalDecided(BillingError):
    """This proposal waits no more: it was approved, refused, or the source says something newer."""


class RateMissing(BillingError):
    """Nobody has said what a Star is worth."""


class Refused(BillingError):
    """A wish that is not granted; nothing was changed. `key` names the sentence that says why."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class OrderRefused(Refused):
    """These Stars cannot be ordered."""


class RefundRefused(Refused):
    """This payment is not given back."""


class GiftRefused(Refused):
    """These dollars cannot be given away."""


class VoucherRefused(Refused):
    """This code gives nothing."""
