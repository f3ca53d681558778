"""The ledger's machine with everything Stars, gifts and vouchers do to a balance, in any order.

The services are parameters, like the ledger: broken copies of them must be noticed too.
"""

from datetime import timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any, ClassVar

from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from accounts.models import User
from billing import gifts as the_gifts
from billing import refunds as the_refunds
from billing import stars as the_stars
from billing import vouchers as the_vouchers
from billing.errors import GiftRefused, RefundRefused, VoucherRefused
from billing.models import Payment, StarRate, Voucher
from billing.models_stars import worth
from tests.billing.machine import MINUTES, LedgerMachine, dollars, people

amounts = st.sampled_from([1, 10, 100, 2500])
margins = st.sampled_from([Decimal(0), Decimal("0.10"), Decimal("0.123456")])


class StarsMachine(LedgerMachine):
    """Its book knows what each payment was promised at its order, whatever the rate became since."""

    stars: ClassVar[ModuleType | Any] = the_stars
    refunds: ClassVar[ModuleType | Any] = the_refunds
    gifts: ClassVar[ModuleType | Any] = the_gifts
    vouchers: ClassVar[ModuleType | Any] = the_vouchers

    @initialize()
    def begin(self) -> None:
        """The same two people, each with a payment already: what a refund needs is there from the first step."""
        super().begin()
        self.orders: dict[str, tuple[int, int, Decimal]] = {}  # payload: person, Stars, dollars
        self.charges_paid: dict[str, tuple[int, Decimal]] = {}
        self.subscriptions: list[str] = []  # payloads of orders that are paid every month
        self.paid_once: set[str] = set()
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
        self.note("rate change")

    @rule(person=people, amount=amounts, monthly=st.booleans())
    def order(self, person: int, amount: int, monthly: bool) -> None:
        monthly = monthly and self.stars.subscription_of(self.people[person].pk) is None
        row = self.stars.order(self.people[person].pk, amount, monthly=monthly)
        assert row.payload
        assert row.usd == worth(amount, self.stars.rate_now())
        self.orders[row.payload] = (person, amount, row.usd)
        if monthly:
            self.subscriptions.append(row.payload)

    @rule(data=st.data(), times=st.integers(1, 3))
    def pay(self, data: Any, times: int) -> None:
        """An order is paid, perhaps once more; each charge is told several times."""
        self.paid_by(data.draw(st.sampled_from(list(self.orders))), times)

    @precondition(lambda self: self.paid_once.intersection(self.subscriptions))
    @rule(data=st.data(), times=st.integers(1, 3))
    def renew(self, data: Any, times: int) -> None:
        """Another month of a subscription, at the rate it was ordered at."""
        payload = data.draw(st.sampled_from([one for one in self.subscriptions if one in self.paid_once]))
        row = self.paid_by(payload, times)
        first = Payment.objects.get(payload=payload)
        assert (row.order_id, row.monthly, row.flagged) == (first.pk, True, False)
        assert first.subscription == "active"
        self.note("subscription renewal")

    def paid_by(self, payload: str, times: int) -> Payment:
        person, amount, usd = self.orders[payload]
        charge = self.new_key("charge")
        for _ in range(times):
            row = self.stars.take_payment(
                self.people[person].pk, the_stars.Paid(charge, payload, amount, timezone.now())
            )
        self.book[f"pay:{charge}"] = (person, "top_up", usd)
        self.charges_paid[charge] = (person, usd)
        self.note("pay twice" if payload in self.paid_once else "pay")
        self.paid_once.add(payload)
        return row

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
            self.refunds.request(row.pk, by_staff=self.staff.pk, reason="a test", force=force)
        except RefundRefused:
            assert row.state not in Payment.KEPT or before.available < usd
            return
        assert force or before.available >= usd
        assert self.refunds.debit(row.pk)
        number = row.refund_tries + 1
        self.book[f"refund:{charge}:{number}"] = (person, "refund", -usd)
        self.note("refund")
        if telegram == "silence":
            return
        assert self.refunds.claim_call(row.pk)
        assert not self.refunds.claim_call(row.pk), "the call is made once"
        if telegram == "yes":
            self.refunds.done(row.pk)
        else:
            self.refunds.refused(row.pk, "a test")
            self.book[f"refund_return:{charge}:{number}"] = (person, "refund_return", usd)

    @rule(data=st.data(), chargeback=st.booleans())
    def goes_back_elsewhere(self, data: Any, chargeback: bool) -> None:
        charge = data.draw(st.sampled_from(list(self.charges_paid)))
        person, usd = self.charges_paid[charge]
        row = Payment.objects.get(charge_id=charge)
        for _ in range(2):
            self.refunds.gone_back(charge, chargeback=chargeback)
        if row.state in Payment.KEPT:
            kind = "chargeback" if chargeback else "refund"
            self.book[f"refund:{charge}:{row.refund_tries + 1}"] = (person, kind, -usd)
            self.note("refund outside")
        assert Payment.objects.get(charge_id=charge).state == "refunded"
        User.objects.filter(pk=self.people[person].pk).update(blocked_at=None)

    @rule(giver=people, usd=st.none() | dollars)
    def gift(self, giver: int, usd: Decimal | None) -> None:
        """Some dollars change hands, or all that may be given."""
        taker, key = 1 - giver, self.new_key("gift")
        before = self.fresh(giver)
        can = self.gifts.giveable(before)
        usd = usd or max(can, the_gifts.GIFT_MIN)
        for _ in range(2):
            try:
                self.gifts.give(before.pk, self.people[taker].pk, usd, key=key)
            except GiftRefused:
                assert usd > can or usd < the_gifts.GIFT_MIN
                return
        assert usd <= can <= before.available
        self.book[f"{key}:out"] = (giver, "gift_out", -usd)
        self.book[f"{key}:in"] = (taker, "gift_in", usd)
        self.note("gift")

    @rule(data=st.data())
    def ask_back_while_all_of_it_is_held(self, data: Any) -> None:
        charge = data.draw(st.sampled_from(list(self.charges_paid)))
        person, usd = self.charges_paid[charge]
        away = usd - self.fresh(person).balance
        if away:
            self.adjust(person=person, amount=abs(away), up=away > 0)
        self.hold(person=person, turn=0, estimate=usd, expires_in=MINUTES)
        self.give_back_once(charge, force=False, telegram="yes")

    @rule(
        usd=st.integers(1, 300),
        uses=st.integers(1, 2),
        good=st.booleans(),
        tries=st.lists(people, min_size=1, max_size=3),
    )
    def voucher(self, usd: int, uses: int, good: bool, tries: list[int]) -> None:
        """Staff make a code; people try it, in small letters."""
        until = timezone.now() + timedelta(days=1 if good else -1)
        row = Voucher.objects.create(
            code=self.new_key("CODE"),
            usd=Decimal(usd).scaleb(-2),
            uses=uses,
            expires_at=until,
            reason="a test",
            made_by=self.staff,
        )
        for person in tries:
            self.redeem(row, person)

    def redeem(self, row: Voucher, person: int) -> None:
        row.refresh_from_db()
        key = f"voucher:{row.pk}:{self.people[person].pk}"
        try:
            usd = self.vouchers.redeem(self.people[person].pk, row.code.lower())
        except VoucherRefused:
            assert key in self.book or row.used == row.uses or row.expires_at < timezone.now()
            return
        assert key not in self.book
        assert usd == row.usd
        self.book[key] = (person, "grant", usd)
        self.note("voucher")
