"""A month that nobody lived through, for the pictures of the staff desk: `python -m tests.browser.past`.

It is written into the database of this checkout's own servers, so it runs in a copy that is thrown away.
"""

import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from config.start import set_up

set_up()

from django.db import connection, transaction  # noqa: E402  the settings first

from accounts.models import User  # noqa: E402
from billing.models import Payment  # noqa: E402
from conversations.models import Chat, Thread, Turn  # noqa: E402
from tools.models import ToolCall  # noqa: E402

NAMES = (
    "Mia Lindqvist", "Noah Fischer", "Olga Petrova", "Hugo Martin", "Aiko Tanaka", "Lucas Silva", "Emma Novak",
    "Omar Haddad", "Sara Rossi", "Ivan Morozov", "Chloe Dubois", "Jonas Berg", "Lea Weber", "Mateo García",
    "Nina Kovač", "Arjun Mehta", "Ella Virtanen", "Tomás Ribeiro",
)  # fmt: skip
FIRST_TELEGRAM_ID = 500_001
DAYS = 30
SHARE = Decimal("0.0065")  # what is credited for a Star: $0.013 × (1 − 0.35 − 0.15)
RATE = {"usd_per_star": Decimal("0.013"), "k1": Decimal("0.35"), "k2": Decimal("0.15"), "k3": Decimal(0)}
PACKAGES = (50, 100, 100, 250, 500)  # the popular one twice
MODELS = {
    "claude-sonnet-5-5": (3, 30),
    "claude-haiku-5-5": (1, 6),
    "gpt-6.1-terra": (2, 15),
    "gemini-3.8-flash": (1, 4),
}
TOOLS = {"web_search": 10, "generate_image": 40, "execute_python": 2}
MILLI = Decimal("0.001")


@dataclass
class Account:
    """Somebody, and what their operations have come to so far."""

    user: User
    thread: Thread
    pays_below: Decimal
    balance: Decimal = Decimal(0)
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def book(self, kind: str, amount: Decimal, at: datetime, key: str, **details: Any) -> None:
        self.balance += amount
        row = (self.user.pk, kind, amount, self.balance, key, "", json.dumps(details), "", at)
        self.rows.append(row)


def main() -> None:
    """Write the month down, as one transaction."""
    chance = random.Random(7)
    now = datetime.now(UTC)
    with transaction.atomic(), connection.cursor() as cursor:
        # Operations are of today and never changed, say the triggers; these are of another day.
        cursor.execute("SET LOCAL session_replication_role = replica")
        accounts = [_somebody(chance, number, name, now) for number, name in enumerate(NAMES)]
        for at in _moments(chance, now):
            _live(chance, chance.choice(accounts), at)
        rows = sorted((row for one in accounts for row in one.rows), key=lambda row: row[-1])
        cursor.executemany(
            "INSERT INTO billing_balanceoperation"
            " (user_id, kind, amount, balance_after, key, params_hash, details, reason, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            rows,
        )
        for one in accounts:
            User.objects.filter(pk=one.user.pk).update(balance=one.balance)


def _moments(chance: random.Random, now: datetime) -> Iterator[datetime]:
    """When something happened: more each week, less at weekends, until a moment ago."""
    for back in range(DAYS - 1, -1, -1):
        day = (now - timedelta(days=back)).replace(hour=0, minute=0, second=0, microsecond=0)
        lively = (24 if day.weekday() < 5 else 15) + (DAYS - back)
        seconds = sorted(chance.randrange(86_400) for _ in range(lively))
        yield from (at for second in seconds if (at := day + timedelta(seconds=second)) < now)


def _somebody(chance: random.Random, number: int, name: str, now: datetime) -> Account:
    first, last = name.split()
    telegram_id = FIRST_TELEGRAM_ID + number
    user = User.objects.create(
        telegram_id=telegram_id, first_name=first, last_name=last, username=f"{first}_{last}".lower(),
        telegram_language="en", last_seen_at=now - timedelta(hours=number),
    )  # fmt: skip
    User.objects.filter(pk=user.pk).update(created_at=now - timedelta(days=DAYS))
    chat = Chat.objects.create(telegram_id=telegram_id, kind="private")
    account = Account(
        user,
        Thread.objects.create(chat=chat, title="Questions of the day"),
        Decimal(chance.randint(30, 98)) / 100,
    )
    account.book("grant", Decimal(1), now - timedelta(days=DAYS), f"grant:{user.pk}")
    return account


def _live(chance: random.Random, account: Account, at: datetime) -> None:
    """A question, and Stars when the dollars run out."""

    if account.balance < account.pays_below:
        _pay(chance.choice(PACKAGES), account, at - timedelta(minutes=2))
    model = chance.choices(list(MODELS), weights=(4, 6, 2, 3))[0]
    low, high = MODELS[model]
    cost = MILLI * chance.randint(low * 10, high * 10) / 10 + Decimal(chance.randrange(1000)).scaleb(-9)
    turn = Turn.objects.create(
        thread=account.thread, user=account.user, model=model, state="done", steps=1, cost=cost,
        finished_at=at + timedelta(seconds=6),
    )  # fmt: skip
    account.book("usage", -cost, at, f"turn:{turn.pk}:step:0", model=model)
    if chance.random() < 0.2:
        cost += _use_a_tool(chance, account, turn, at)
    Turn.objects.filter(pk=turn.pk).update(created_at=at, cost=cost)


def _use_a_tool(chance: random.Random, account: Account, turn: Turn, at: datetime) -> Decimal:
    name = chance.choices(list(TOOLS), weights=(5, 1, 3))[0]
    cost = MILLI * TOOLS[name]
    ToolCall.objects.create(
        id=uuid.UUID(int=chance.getrandbits(128)), user=account.user, thread=account.thread, turn=turn, call_id="c1",
        name=name, status="done", seconds=chance.uniform(0.4, 4), cost=cost, started_at=at,
    )  # fmt: skip
    account.book("tool", -cost, at + timedelta(seconds=3), f"turn:{turn.pk}:tool:c1")
    return cost


def _pay(bought: int, account: Account, at: datetime) -> None:
    payment = Payment.objects.create(
        user=account.user, state="paid", stars=bought, usd=bought * SHARE, charge_id=f"stx{uuid.uuid4().hex}",
        expires_at=at + timedelta(hours=1), paid_at=at, receipt_sent_at=at, **RATE,
    )  # fmt: skip
    Payment.objects.filter(pk=payment.pk).update(created_at=at)
    account.book("top_up", bought * SHARE, at, f"pay:{payment.charge_id}", payment=payment.pk, stars=bought)


if __name__ == "__main__":
    main()
