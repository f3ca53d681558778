"""Any order of the ledger's verbs, by hypothesis: a state machine and what must hold after every step.

It keeps its own small book: which keys were accepted and for how much. The ledger is a parameter, so
that a deliberately broken copy can be run to show that the machine would notice. Ids differ from run to
run, so what hypothesis chooses from stands in the order it was made, never sorted by key.
"""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from itertools import accumulate
from types import ModuleType
from typing import Any, ClassVar

from django.db import connection, transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from accounts.models import Staff, User
from billing import ledger as the_ledger
from billing.errors import HoldClosed, InsufficientFunds, KeyMisused, SpendingRefused
from billing.models import BalanceOperation, Hold

MINUTES = timedelta(minutes=5)
OVERDUE = timedelta(seconds=-1)
TURN_CAP = Decimal("0.50")
OVERDRAFT_LIMIT = Decimal("0.25")

# The sizes at which something changes, and any other.
dollars = st.sampled_from(
    [Decimal(size) for size in ("0.1", "0.25", "0.3", "0.5", "0.000000001")]
) | st.integers(1, 600_000_000).map(lambda nano: Decimal(nano).scaleb(-9))
deadlines = st.sampled_from([MINUTES, MINUTES, OVERDUE])
people = st.integers(0, 1)
turns = st.integers(0, 3)


class Killed(Exception):
    """The process ended before the commit."""


class LedgerMachine(RuleBasedStateMachine):
    ledger: ClassVar[ModuleType | Any] = the_ledger
    steps_checked: ClassVar[int] = 0
    happened: ClassVar[Counter[str]] = Counter()  # what came about, by name, over all runs

    @initialize()
    def begin(self) -> None:
        """Two people and a member of staff, new for every run: keys carry their ids."""
        self.people = [User.objects.create(), User.objects.create()]
        self.staff = Staff.objects.create(username=f"felix-{self.people[0].pk}")
        self.book: dict[str, tuple[int, str, Decimal]] = {}  # key: person, kind, signed amount
        self.holds: dict[str, int] = {}  # key: person
        self.number = 0
        for place in range(2):
            self.greet(person=place)
            self.hold(person=place, turn=0, estimate=Decimal("0.3"), expires_in=MINUTES)

    # Verbs ---------------------------------------------------------------------------------------

    def turn(self, person: int, turn: int) -> str:
        return f"turn:{self.people[person].pk}:{turn}"

    def new_key(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}:{self.people[0].pk}:{self.number}"

    def note(self, what: str) -> None:
        type(self).happened[what] += 1

    def fresh(self, person: int) -> User:
        return User.objects.get(pk=self.people[person].pk)

    @rule(person=people, turn=turns, estimate=dollars, expires_in=deadlines)
    def hold(self, person: int, turn: int, estimate: Decimal, expires_in: timedelta) -> None:
        before, key = self.fresh(person), self.turn(person, turn)
        was_open = Hold.objects.filter(key=key, state="open").exists()
        try:
            hold = self.ledger.hold(before.pk, key=key, estimate=estimate, expires_in=expires_in)
        except SpendingRefused:
            spent = sum(hold.spent for hold in Hold.objects.filter(key=key))
            running = Hold.objects.filter(user=before, state="open").count()
            assert before.available <= 0 or running >= 3 or spent >= TURN_CAP
            return
        self.holds[key] = person
        assert hold.state == "open"
        assert was_open or 0 < hold.amount <= min(estimate, before.available)

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), needed=dollars, expires_in=deadlines)
    def extend(self, data: Any, needed: Decimal, expires_in: timedelta) -> None:
        key = data.draw(st.sampled_from(list(self.holds)))
        before = Hold.objects.select_related("user").get(key=key)
        left_before = before.amount if before.state == "open" else Decimal(0)
        try:
            left = self.ledger.extend(key, needed=needed, expires_in=expires_in)
        except HoldClosed:
            assert before.state in ("released", "settled")
            return
        assert left_before <= left <= max(needed, left_before)
        if left > left_before:
            assert before.spent + left <= TURN_CAP
            assert self.fresh(self.holds[key]).available >= -OVERDRAFT_LIMIT

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), amount=dollars, kind=st.sampled_from(["usage", "tool"]))
    def settle(self, data: Any, amount: Decimal, kind: str) -> None:
        hold = data.draw(st.sampled_from(list(self.holds)))
        key = self.new_key(hold)
        self.ledger.settle(hold, key=key, amount=amount, kind=kind, details={"hold": hold})
        self.book[key] = (self.holds[hold], kind, -amount)
        self.note("spend")

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def use_up(self, data: Any) -> None:
        """A turn spends all that it is let spend, below zero if it may."""
        hold = data.draw(st.sampled_from(list(self.holds)))
        before = self.fresh(self.holds[hold])
        try:
            left = self.ledger.extend(hold, needed=TURN_CAP, expires_in=MINUTES)
        except HoldClosed:
            return
        assert self.fresh(self.holds[hold]).available >= min(before.available, -OVERDRAFT_LIMIT)
        if left:
            key = self.new_key(hold)
            self.ledger.settle(hold, key=key, amount=left, details={})
            self.book[key] = (self.holds[hold], "usage", -left)

    @precondition(lambda self: self.charges())
    @rule(data=st.data(), other_amount=st.booleans())
    def settle_again(self, data: Any, other_amount: bool) -> None:
        key = data.draw(st.sampled_from(self.charges()))
        person, kind, amount = self.book[key]
        hold = key.rsplit(":", 2)[0]
        charged = -amount + (Decimal("0.000000001") if other_amount else 0)
        try:
            first = self.ledger.settle(hold, key=key, amount=charged, kind=kind, details={})
        except KeyMisused:
            if not other_amount:
                raise
            return
        assert not other_amount, "another amount under the same key"
        assert (first.key, first.amount, first.user_id) == (key, amount, self.people[person].pk)

    def charges(self) -> list[str]:
        return [key for key, (_, kind, _) in self.book.items() if kind in ("usage", "tool")]

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), said=dollars)
    def stop(self, data: Any, said: Decimal) -> None:
        """A person stops an answer: what was said is charged, the rest given back. Told late, nothing changes."""
        hold = data.draw(st.sampled_from(list(self.holds)))
        key = self.new_key(hold)
        for _ in range(2):
            with transaction.atomic():
                self.ledger.settle(hold, key=key, amount=said, details={"stopped": True})
                self.ledger.release(hold)
        self.book[key] = (self.holds[hold], "usage", -said)
        assert Hold.objects.get(key=hold).state in ("settled", "released")  # released: it was over before
        self.note("stop")

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), amount=dollars)
    def killed_behind_the_commit(self, data: Any, amount: Decimal) -> None:
        """The process never hears of its charge; its hold runs out, and the next one does all of it again."""
        hold = data.draw(st.sampled_from(list(self.holds)))
        key = self.new_key(hold)
        for deadline in (OVERDUE, MINUTES):
            try:
                self.ledger.extend(hold, needed=amount, expires_in=deadline)
            except HoldClosed:
                return
            self.ledger.settle(hold, key=key, amount=amount, details={})
            self.book[key] = (self.holds[hold], "usage", -amount)
            self.ledger.expire_holds()
        self.note("crash")

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), amount=dollars)
    def killed_before_commit(self, data: Any, amount: Decimal) -> None:
        hold = data.draw(st.sampled_from(list(self.holds)))
        try:
            with transaction.atomic():
                self.ledger.settle(hold, key=self.new_key(hold), amount=amount, details={})
                self.ledger.release(hold)
                raise Killed
        except Killed:
            self.note("crash")

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def release(self, data: Any) -> None:
        key = data.draw(st.sampled_from(list(self.holds)))
        self.ledger.release(key)
        assert Hold.objects.get(key=key).state in ("settled", "released")

    @rule()
    def expire(self) -> None:
        self.ledger.expire_holds()

    @rule(person=people, amount=dollars)
    def credit(self, person: int, amount: Decimal) -> None:
        key = self.new_key("pay")
        for _ in range(2):
            self.ledger.credit(self.people[person].pk, key=key, amount=amount, kind="top_up")
        self.book[key] = (person, "top_up", amount)

    @rule(person=people)
    def greet(self, person: int) -> None:
        first = self.ledger.grant_starting_credit(self.people[person].pk)
        self.book[first.key] = (person, "grant", Decimal(1))

    @rule(person=people, amount=dollars, up=st.booleans())
    def adjust(self, person: int, amount: Decimal, up: bool) -> None:
        key, signed = self.new_key("admin"), amount if up else -amount
        self.ledger.adjust(
            self.people[person].pk, key=key, amount=signed, reason="a test", actor_id=self.staff.pk
        )
        self.book[key] = (person, "adjustment", signed)
        self.note("adjust")

    @rule(person=people, left=st.sampled_from([Decimal(0), Decimal("0.01"), Decimal("0.65")]))
    def be_nearly_broke(self, person: int, left: Decimal) -> None:
        """Down, or up, to a balance at which something is refused."""
        away = left - self.fresh(person).balance
        if away:
            self.adjust(person=person, amount=abs(away), up=away > 0)

    @rule(person=people, amount=dollars)
    def refund(self, person: int, amount: Decimal) -> None:
        before, key = self.fresh(person), self.new_key("refund")
        try:
            self.ledger.debit(before.pk, key=key, amount=amount, kind="refund")
        except InsufficientFunds:
            assert before.available < amount
            return
        assert before.available >= amount
        self.book[key] = (person, "refund", -amount)

    # What must hold after every step -------------------------------------------------------------

    @invariant()
    def sums_agree(self) -> None:
        type(self).steps_checked += 1
        ids = [person.pk for person in self.people]
        users = User.objects.in_bulk(ids)
        operations = list(BalanceOperation.objects.filter(user__in=ids).order_by("id"))
        open_holds = list(Hold.objects.filter(user__in=ids, state="open"))
        for place, pk in enumerate(ids):
            expected = [amount for who, _, amount in self.book.values() if who == place]
            posted = [operation for operation in operations if operation.user_id == pk]
            held = [hold for hold in open_holds if hold.user_id == pk]
            assert users[pk].balance == sum(operation.amount for operation in posted), (
                "Σ operations = balance"
            )
            assert users[pk].balance == sum(expected), "each key counts once"
            assert len(posted) == len(expected), "each key counts once"
            running = accumulate(operation.amount for operation in posted)
            assert [operation.balance_after for operation in posted] == list(running), "an unbroken chain"
            assert users[pk].held == sum(hold.amount for hold in held), "Σ open holds = held"
            assert users[pk].held >= 0
            assert sum(hold.overdraft for hold in held) <= 1

    def teardown(self) -> None:
        # Nothing of this run may be swept in the next one.
        for key in getattr(self, "holds", {}):
            self.ledger.release(key)


def posted_twice() -> int:
    """Operations whose key was there before: only without the unique constraint can there be any."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) - COUNT(DISTINCT key) FROM {BalanceOperation._meta.db_table}")
        return cursor.fetchone()[0]
