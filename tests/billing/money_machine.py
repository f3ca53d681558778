"""The machine of Stars, with answers charged by their tokens while prices change: everything that moves a dollar."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from billing.models import RATE_FIELDS, BalanceOperation, Price
from billing.prices import rates_for, rates_now
from billing.pricing import Usage, price
from tests.billing.stars_machine import StarsMachine

# Of the three places a price per million tokens has here every token is a whole number of nano-dollars.
rates = st.tuples(*[st.integers(1, 40_000).map(lambda mills: Decimal(mills).scaleb(-3)) for _ in RATE_FIELDS])
counts = st.tuples(*[st.integers(0, 5_000) for _ in RATE_FIELDS])
FIRST = tuple(map(Decimal, ("4", "20", "0.2", "5", "8")))


class MoneyMachine(StarsMachine):
    """Its book reckons each answer itself, by the price that stood when the model was asked."""

    @initialize()
    def begin(self) -> None:
        super().begin()
        self.model = f"model-{self.people[0].pk}"
        self.price = FIRST
        self.asked: dict[str, tuple[datetime, tuple[Decimal, ...]]] = {}  # key: when, at which price
        self.price_changes(FIRST)

    @rule(changed=rates)
    def price_changes(self, changed: tuple[Decimal, ...]) -> None:
        by_name = dict(zip(RATE_FIELDS, changed, strict=True))
        Price.objects.create(item=self.model, effective_from=timezone.now(), source="a test", **by_name)
        rates_now.cache_clear()  # as if the seconds had passed for which a price may be old
        self.price = changed
        self.note("price change")

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), used=counts, changed=st.none() | rates)
    def answer(self, data: Any, used: tuple[int, ...], changed: tuple[Decimal, ...] | None) -> None:
        """A model is asked and answers; its price may change in between."""
        hold = data.draw(st.sampled_from(list(self.holds)))
        key, asked_at = self.new_key(hold), self.price
        in_force = rates_for(self.model)
        if changed:
            self.price_changes(changed)
        usage = dict(zip(("input", "output", *RATE_FIELDS[2:]), used, strict=True))
        details = {"usage": usage, "price": in_force.price_id}
        self.ledger.settle(hold, key=key, amount=price(Usage(**usage), in_force), details=details)
        nano = sum(count * int(rate * 1000) for count, rate in zip(used, asked_at, strict=True))
        if nano:
            self.book[key] = (self.holds[hold], "usage", Decimal(-nano).scaleb(-9))
            row = Price.objects.get(pk=BalanceOperation.objects.get(key=key).details["price"])
            assert tuple(getattr(row, name) for name in RATE_FIELDS) == asked_at, "an old price stays"
