"""People who pay, spend and take back while their bot is killed, and buyers before a long queue."""

import asyncio
import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from pathlib import Path

from django.db.models import F, Max

from billing.models import BalanceOperation, Hold, Payment
from billing.refunds import CALL_AGAIN_AFTER
from config.aio import in_db
from telegram_bot.keyboards import RefundPress
from telegram_bot.models import Update
from telegram_bot.playground.people import Impossible, Person
from telegram_bot.playground.server import Playground
from telegram_bot.playground.stars import Charge
from telegram_bot.presses import seal_for
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Says, Words
from tests.faults import books
from tests.faults.bots import Bots
from tests.faults.report import percentile
from tests.flows.paying import invoice_for
from tests.money.table import Table
from tests.waiting import eventually

TOKEN = "1000000001:AAmoneyAAmoneyAAmoneyAAmoneyAAmoney"
PEOPLE = 12
FIRST_PERSON, FIRST_BUYER, FIRST_OF_CROWD = 60_000, 70_000, 80_000
STARS = 100
WORTH = Decimal("0.65")
ALIVE_SECONDS = (1.0, 4.0)  # of a bot between its start and its end
REST_SECONDS = 240.0
QUEUED, CROWD, BUYERS, LATE_BUYERS = 1000, 100, 100, 10
COMES_EVERY_SECONDS = 0.05  # a buyer, while the queue is worked off
TIMEOUT = "BOT_PRECHECKOUT_TIMEOUT"


@contextlib.asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[tuple[Playground, Bots]]:
    """A Telegram, a Claude and the bots between them, which are processes."""

    def answer(_body: object) -> Says:
        return Says((Words("word " * 200),), delay=0.02)

    async with Playground.started(TOKEN) as telegram, AnthropicStandIn.started(answer) as claude:
        # It numbers from the clock, ten a second. The stage before was busier, and a number comes once.
        telegram.state.updates._next_id = max(telegram.state.updates._next_id, await last_update() + 1)
        environment = {
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_API_URL": telegram.url,
            "ANTHROPIC_API_KEY": "sk-ant-money",
            "ANTHROPIC_BASE_URL": claude.url,
            "DEFAULT_MODEL": "claude-haiku-5-5",
            "MEDIA_ROOT": str(folder / "media"),
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "INFO",  # a start is known by its line
            "TITLES": "false",
        }
        async with Bots.of(environment, folder) as bots:
            yield telegram, bots


@in_db
def last_update() -> int:
    return Update.objects.aggregate(last=Max("pk"))["last"] or 0


# Kills -------------------------------------------------------------------------------------------


class Life:
    """One person: pays, asks, takes back, in any order, until told to stop."""

    def __init__(self, telegram: Playground, number: int, stop: asyncio.Event) -> None:
        self.telegram, self.stop = telegram, stop
        self.person = telegram.person(number, first_name=f"P{number}")
        self.chance = random.Random(number)
        self.did: Counter[str] = Counter()

    async def live(self) -> None:
        acts = (self.pay, self.pay, self.pay_unheard, self.ask, self.take_back, self.taken_back_elsewhere)
        while not self.stop.is_set():
            act = self.chance.choice(acts)
            # A bot that is dead just now answers nobody: a person gives up and does something else.
            with contextlib.suppress(AssertionError, Impossible):
                await act()
                self.did[act.__name__] += 1
            await asyncio.sleep(0.05)

    async def pay(self) -> None:
        self.person.fill_wallet(STARS)
        outcome = await self.person.pay(await invoice_for(self.person, STARS))
        assert outcome["ok"]

    async def pay_unheard(self) -> None:
        """Paid, and the update that says so never comes."""
        self.person.fill_wallet(STARS)
        self.person.complete(self.person.invoice(await invoice_for(self.person, STARS)), told=False)

    async def ask(self) -> None:
        await self.person.send("Why is the sky blue?")
        await asyncio.sleep(self.chance.random())

    async def take_back(self) -> None:
        """Press the last button of a refund, several times at once."""
        payment = await paid_of(self.person.id)
        assert payment
        data = seal_for(self.person.id)(RefundPress(payment=payment, sure=True))
        message = self.person.replies[-1]["message_id"]
        await asyncio.gather(*(self.person.press(message, data) for _ in range(3)))

    async def taken_back_elsewhere(self) -> None:
        charges = [charge for charge in self.person.charges if not charge.is_refunded]
        if charges and self.chance.random() < 0.3:
            self.person.refund_elsewhere(charges[0].id, told=self.chance.random() < 0.5)


@in_db
def paid_of(person: int) -> int | None:
    rows = Payment.objects.filter(user__telegram_id=person, state=Payment.State.PAID)
    return rows.values_list("pk", flat=True).first()


async def killed_bot(table: Table, folder: Path, kills: int) -> None:
    """The bot dies again and again while people pay, ask and take back; then it is left in peace."""
    async with stage(folder) as (telegram, bots):
        stop = asyncio.Event()
        bot = await bots.start().started()
        lives = [Life(telegram, FIRST_PERSON + number, stop) for number in range(PEOPLE)]
        tasks = [asyncio.create_task(life.live()) for life in lives]
        for _ in range(kills):
            await asyncio.sleep(random.uniform(*ALIVE_SECONDS))
            bot.kill()
            bot = await bots.start().started()
        stop.set()
        await asyncio.gather(*tasks)
        bot.kill()
        await books.let_leases_run_out()
        bot = await bots.start().started()  # its start goes through Telegram's list
        rested = await comes_to_rest()
        bot.kill()
        did = sum((life.did for life in lives), Counter[str]())
        charges = list(telegram.state.stars.charges.values())
    table.add("kills of the bot while 12 people pay, ask and take back", kills)
    table.add("payments of Stars", len(charges))
    table.add("questions asked", did["ask"])
    table.add("refunds pressed, three times each", did["take_back"])
    table.add("refunds that gave the Stars back", sum(charge.is_refunded for charge in charges))
    table.zero("work left undone afterwards", int(not rested))
    table.zero("crashes of the bot of its own", len(bots.crashes))
    await judge(table, charges)


async def comes_to_rest() -> bool:
    """Every update handled, every turn ended, every refund through; the pauses between its calls are cut short."""
    until = time.monotonic() + REST_SECONDS
    while time.monotonic() < until:
        await let_calls_be_old()
        if await books.at_rest(5.0) and not await refunds_under_way():
            return True
    return False


@in_db
def let_calls_be_old() -> None:
    under_way = Payment.objects.filter(state__in=Payment.UNDER_WAY)
    under_way.update(refund_called_at=F("refund_called_at") - CALL_AGAIN_AFTER)


@in_db
def refunds_under_way() -> bool:
    return Payment.objects.filter(state__in=Payment.UNDER_WAY).exists()


async def judge(table: Table, charges: list[Charge]) -> None:
    """Telegram's own books against ours, payment by payment."""
    credited, debited, states = await sides()
    ids = {charge.id for charge in charges}
    table.zero("uncredited Stars", sum(charge.invoice.stars for charge in charges if not credited[charge.id]))
    table.zero("double credits", sum(times > 1 for times in credited.values()))
    table.zero("credits without Stars", len(credited.keys() - ids))
    table.zero("wrong amounts credited", await wrong_amounts())
    half = [one for one in charges if debited[one.id] != one.is_refunded]
    half += [one for one in charges if (states.get(one.id) == "refunded") != one.is_refunded]
    table.zero("half refunds", len({one.id for one in half}))
    table.zero("holds left open when everything rests", await holds_left())
    table.zero("turns charged otherwise than their rows say", len(await books.mismatches()))


@in_db
def sides() -> tuple[Counter[str], Counter[str], dict[str, str]]:
    """By charge id: how often credited, how often its dollars are gone again, and its state."""
    charge_ids = dict(Payment.objects.filter(charge_id__isnull=False).values_list("pk", "charge_id"))
    credited: Counter[str] = Counter()
    debited: Counter[str] = Counter()
    for kind, payment in BalanceOperation.objects.filter(details__has_key="payment").values_list(
        "kind", "details__payment"
    ):
        if kind == "top_up":
            credited[charge_ids[payment]] += 1
        else:
            debited[charge_ids[payment]] += -1 if kind == "refund_return" else 1
    states = dict(Payment.objects.filter(charge_id__isnull=False).values_list("charge_id", "state"))
    return credited, debited, states


@in_db
def holds_left() -> int:
    return Hold.objects.filter(user__telegram_id__isnull=False, state=Hold.State.OPEN).count()


@in_db
def wrong_amounts() -> int:
    return (
        BalanceOperation.objects.filter(kind="top_up", details__has_key="payment")
        .exclude(amount=WORTH)
        .count()
    )


# Before a queue ----------------------------------------------------------------------------------


async def checkouts(table: Table, folder: Path) -> None:
    """A thousand updates wait in the inbox, and a hundred people come to the checkout; then some behind a thousand
    that Telegram has not even handed out."""
    async with stage(folder) as (telegram, bots):
        bot = await bots.start().started()
        buyers = [
            telegram.person(FIRST_BUYER + number, first_name="B") for number in range(BUYERS + LATE_BUYERS)
        ]
        bills = [(buyer, await bill_of(buyer)) for buyer in buyers]
        crowd = [telegram.person(FIRST_OF_CROWD + number, first_name="C") for number in range(CROWD)]
        bot.send(signal.SIGSTOP)
        await write_all(crowd)
        bot.send(signal.SIGCONT)
        await eventually(taken_in, "all of it taken in", 120.0)
        waiting = await unhandled()
        one_by_one = []
        for buyer, bill in bills[:BUYERS]:
            one_by_one.append(asyncio.create_task(timed(buyer, bill)))
            await asyncio.sleep(COMES_EVERY_SECONDS)
        answers = await asyncio.gather(*one_by_one)
        table.add("updates that waited in the inbox at the first checkout", waiting)
        tell(table, "pre-checkout", answers)
        timeouts = sum(refusal == TIMEOUT for _, refusal in answers)
        table.zero("pre-checkouts without an answer within ten seconds", timeouts)
        bot.send(signal.SIGSTOP)
        await write_all(crowd)
        asked = [asyncio.create_task(timed(buyer, bill)) for buyer, bill in bills[BUYERS:]]
        bot.send(signal.SIGCONT)
        late = await asyncio.gather(*asked)
    tell(table, "pre-checkout behind 1,000 updates still at Telegram", late)
    # getUpdates shows a hundred at a time: Telegram may give up first, and then takes no Stars (docs/stars.md).
    table.add("of these given up by Telegram, no Stars taken", sum(refusal == TIMEOUT for _, refusal in late))


def tell(table: Table, what: str, answers: Sequence[tuple[float, str | None]]) -> None:
    seconds = [took for took, _ in answers]
    for share in (0.5, 0.99):
        table.add(f"{what}, p{share * 100:g} (s)", percentile(seconds, share))
    no = sum(refusal not in (None, TIMEOUT) for _, refusal in answers)
    table.add(f"{what}, refused with a sentence", no)


async def write_all(crowd: Sequence[Person]) -> None:
    for _ in range(QUEUED // len(crowd)):
        for person in crowd:
            await person.send("/help")


@in_db
def taken_in() -> bool:
    return Update.objects.filter(lane__gte=FIRST_OF_CROWD).count() >= QUEUED


@in_db
def unhandled() -> int:
    return Update.objects.filter(handled_at__isnull=True).count()


async def bill_of(buyer: Person) -> int:
    await buyer.send(f"/pay {STARS}")
    return int((await buyer.wait_for(lambda message: message["invoice"], 120.0))["message_id"])


async def timed(buyer: Person, bill: int) -> tuple[float, str | None]:
    began = time.monotonic()
    refusal = await buyer.ask_to_pay(bill)
    return time.monotonic() - began, refusal
