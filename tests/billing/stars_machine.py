"""The ledger's machine with everything Stars, gifts and vouchers do to a balance, in any order."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from accounts.models import User
from billing import gifts, refunds, stars, vouchers
from billing.errors import GiftRefused, RefundRefused, VoucherRefused
from billing.models import Payment, StarRate, Voucher
from billing.models_stars import worth
from tests.billing.machine import LedgerMachine, dollars, people

amounts = st.sampled_from([1, 10, 100, 2500])
margins = st.sampled_from([Decimal(0), Decimal("0.10"), Decimal("0.123456")])


class StarsMachine(LedgerMachine):
    """Its book knows what each payment was promised at its order, whatever the rate became since."""

    @initialize()
    def begin(self) -> None:
        """The same two people, each with a payment already: what a refund needs is there from the first step."""
        super().begin()
        self.orders: dict[str, tuple[int, int, Decimal]] = {}  # payload: person, Stars, dollars
        self.charges_paid: dict[str, tuple[int, Decimal]] = {}
        self.codes: dict[str, Decimal] = {}
        for place, person in enumerate(self.people):
            User.objects.filter(pk=person.pk).update(telegram_id=10**9 + 10 * person.pk + place)
        self.rate(margin=Decimal(0))
        for place in range(2):
            self.order(person=place, amount=100, monthly=bool(place))
            self.paid_by(list(self.orders)[place], times=1)

    @rule(margin=margins)
    def rate(self, margin: Decimal) -> None:
        StarRate.objects.create(
            effective_from=timezone.now(),
            usd_per_star=Decimal("0.013"),
            k1=Decimal("0.35"),
            k2=Decimal("0.15"),
            k3=margin,
        )

    @rule(person=people, amount=amounts, monthly=st.booleans())
    def order(self, person: int, amount: int, monthly: bool) -> None:
        monthly = monthly and stars.subscription_of(self.people[person].pk) is None
        row = stars.order(self.people[person].pk, amount, monthly=monthly)
        assert row.payload
        assert row.usd == worth(amount, stars.rate_now())
        self.orders[row.payload] = (person, amount, row.usd)

    @rule(data=st.data(), times=st.integers(1, 3))
    def pay(self, data: Any, times: int) -> None:
        """An order is paid, perhaps again, perhaps as a renewal; each charge is told several times."""
        self.paid_by(data.draw(st.sampled_from(list(self.orders))), times)

    def paid_by(self, payload: str, times: int) -> None:
        person, amount, usd = self.orders[payload]
        charge = self.new_key("charge")
        for _ in range(times):
            stars.take_payment(self.people[person].pk, stars.Paid(charge, payload, amount, timezone.now()))
        self.book[f"pay:{charge}"] = (person, "top_up", usd)
        self.charges_paid[charge] = (person, usd)

    @rule(
        data=st.data(),
        force=st.booleans(),
        answers=st.sampled_from([["yes"], ["no"], ["no", "no"], ["no", "yes"], ["silence"]]),
    )
    def give_back(self, data: Any, force: bool, answers: list[str]) -> None:
        """A refund, asked for again after each no of Telegram's."""
        charge = data.draw(st.sampled_from(list(self.charges_paid)))
        for answer in answers:
            self.give_back_once(charge, force, answer)

    def give_back_once(self, charge: str, force: bool, telegram: str) -> None:
        person, usd = self.charges_paid[charge]
        row = Payment.objects.get(charge_id=charge)
        before = self.fresh(person)
        try:
            refunds.request(row.pk, by_staff=self.staff.pk, reason="a test", force=force)
        except RefundRefused:
            assert row.state not in Payment.KEPT or before.available < usd
            return
        assert force or before.available >= usd
        assert refunds.debit(row.pk)
        number = row.refund_tries + 1
        self.book[f"refund:{charge}:{number}"] = (person, "refund", -usd)
        if telegram == "silence":
            return
        assert refunds.claim_call(row.pk)
        assert not refunds.claim_call(row.pk), "the call is made once"
        if telegram == "yes":
            refunds.done(row.pk)
        else:
            refunds.refused(row.pk, "a test")
            self.book[f"refund_return:{charge}:{number}"] = (person, "refund_return", usd)

    @rule(data=st.data(), chargeback=st.booleans())
    def goes_back_elsewhere(self, data: Any, chargeback: bool) -> None:
        charge = data.draw(st.sampled_from(list(self.charges_paid)))
        person, usd = self.charges_paid[charge]
        row = Payment.objects.get(charge_id=charge)
        for _ in range(2):
            refunds.gone_back(charge, chargeback=chargeback)
        if row.state in Payment.KEPT:
            kind = "chargeback" if chargeback else "refund"
            self.book[f"refund:{charge}:{row.refund_tries + 1}"] = (person, kind, -usd)
        assert Payment.objects.get(charge_id=charge).state == "refunded"
        User.objects.filter(pk=self.people[person].pk).update(blocked_at=None)

    @rule(giver=people, usd=dollars)
    def gift(self, giver: int, usd: Decimal) -> None:
        taker, key = 1 - giver, self.new_key("gift")
        before = self.fresh(giver)
        can = gifts.giveable(before)
        for _ in range(2):
            try:
                gifts.give(before.pk, self.people[taker].pk, usd, key=key)
            except GiftRefused:
                assert usd > can or usd < gifts.GIFT_MIN
                return
        assert usd <= can <= before.available
        self.book[f"{key}:out"] = (giver, "gift_out", -usd)
        self.book[f"{key}:in"] = (taker, "gift_in", usd)

    @rule(usd=st.integers(1, 300), uses=st.integers(1, 2), good=st.booleans())
    def voucher(self, usd: int, uses: int, good: bool) -> None:
        code = self.new_key("CODE")
        until = timezone.now() + timedelta(days=1 if good else -1)
        worth_of_it = Decimal(usd).scaleb(-2)
        Voucher.objects.create(
            code=code, usd=worth_of_it, uses=uses, expires_at=until, reason="a test", made_by=self.staff
        )
        self.codes[code] = worth_of_it

    @precondition(lambda self: self.codes)
    @rule(data=st.data(), person=people)
    def redeem(self, data: Any, person: int) -> None:
        code = data.draw(st.sampled_from(list(self.codes)))
        row = Voucher.objects.get(code=code)
        key = f"voucher:{row.pk}:{self.people[person].pk}"
        try:
            usd = vouchers.redeem(self.people[person].pk, code.lower())
        except VoucherRefused:
            assert key in self.book or row.used == row.uses or row.expires_at < timezone.now()
            return
        assert key not in self.book
        self.book[key] = (person, "grant", usd)
