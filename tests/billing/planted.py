"""Copies of our own modules with one bug in them: the machines must notice each."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from billing import gifts, ledger, refunds, stars, vouchers


@dataclass(frozen=True)
class Bug:
    """Where a module says `right`, once, its copy says `wrong`."""

    what: str
    module: ModuleType
    right: str
    wrong: str

    @property
    def name(self) -> str:
        """The module's own name, which is that of the machine's parameter."""
        return self.module.__name__.rpartition(".")[2]


FORGETS_KEYS = Bug(
    "a charge does not look whether its key was there before",
    ledger,
    "    if posted:\n        return _first(entry)\n",
    "",
)
BUGS = (
    Bug(
        "the sweeper closes a hold and gives nothing back",
        ledger,
        "        mine.state = Hold.State.EXPIRED\n        user.held -= mine.amount\n",
        "        mine.state = Hold.State.EXPIRED\n",
    ),
    Bug(
        "a payment is credited at today's rate, not at its order's",
        stars,
        "worth(paid.stars, row)\n",
        "worth(paid.stars, rate_now())\n",
    ),
    Bug(
        "a refund is granted for dollars that are held",
        refunds,
        'user.available < payment.usd else ""',
        'user.balance < payment.usd else ""',
    ),
    Bug(
        "Stars that went back are debited each time Telegram says so",
        refunds,
        "    if payment.state == State.REFUNDED:\n        return payment\n",
        "",
    ),
    Bug(
        "a gift leaves nobody's balance",
        gifts,
        '        ledger.debit(giver_id, key=f"{key}:out", amount=usd, kind=Kind.GIFT_OUT, details=details)\n',
        "",
    ),
)
# These take more steps to be met.
RARER_BUGS = (
    Bug(
        "a charge is taken whole from the balance and not from the hold",
        ledger,
        "        user.held -= covered\n",
        "",
    ),
    Bug(
        "a turn goes below zero as far as it likes",
        ledger,
        "        added = min(wanted, room)\n",
        "        added = wanted\n",
    ),
    Bug(
        "the dollars of a refund that Telegram refused are not given back",
        refunds,
        "        amount=payment.usd,\n        kind=Kind.REFUND_RETURN,",
        "        amount=payment.usd / 2,\n        kind=Kind.REFUND_RETURN,",
    ),
    Bug(
        "a code may be redeemed by more people than it is for",
        vouchers,
        'good.filter(used__lt=F("uses")).update',
        "good.update",
    ),
)


@contextmanager
def planted(bug: Bug) -> Iterator[ModuleType]:
    """The copy, for as long as it is looked at."""
    source = Path(str(bug.module.__file__)).read_text()
    assert source.count(bug.right) == 1, f"not once in {bug.module.__file__}: {bug.right!r}"
    name = f"tests.billing.broken_{bug.name}"
    spec = importlib.util.spec_from_loader(name, loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        exec(compile(source.replace(bug.right, bug.wrong), name, "exec"), module.__dict__)
        yield module
    finally:
        del sys.modules[name]
