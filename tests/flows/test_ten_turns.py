"""A cached conversation of ten turns is charged as a spreadsheet reckons it, to the nano-dollar."""

import re
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from openpyxl import load_workbook

from billing.models import BalanceOperation
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from tests.conftest import ROOT
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_books import Bill
from tests.fakes.anthropic_script import Use, Words
from tests.flows import books
from tests.people import ANNA

SHEET = ROOT / "tests" / "data" / "ten_turns.xlsx"
FIRST_ROW, LAST_ROW, SUM_ROW = 5, 15, 16
CLOSED_BEFORE = 5  # before this turn the vendor's cache ran out
CELL = re.compile(r"\$?([A-Z])\$?(\d+)")


@dataclass(frozen=True)
class Step:
    """One row of the sheet: what the vendor reports of one model call, and what it costs."""

    turn: int
    number: int
    bill: Bill
    output: int
    searches: int
    charge: Decimal
    balance: Decimal


def cells(*, formulas: bool) -> dict[str, Any]:
    """Every cell by its name: what is written in it, or the value its spreadsheet program reckoned."""
    sheet = load_workbook(SHEET, data_only=not formulas).active
    return {
        cell.coordinate: cell.value for row in sheet.iter_rows() for cell in row if cell.value is not None
    }


def nano(value: float) -> Decimal:
    """A spreadsheet keeps binary fractions; at nine places they say what was meant."""
    return round(Decimal(value), 9)


@pytest.fixture(scope="module")
def sheet() -> list[Step]:
    found = cells(formulas=False)
    steps = []
    for row in range(FIRST_ROW, LAST_ROW + 1):
        turn, number, fresh, read, minutes, hour, output, searches = (found[f"{c}{row}"] for c in "ABDEFGHI")
        bill = Bill(fresh, read, minutes, hour)
        charge = Decimal(found[f"J{row}"]).scaleb(-9)
        steps.append(Step(turn, number, bill, output, searches, charge, nano(found[f"L{row}"])))
    return steps


def test_every_value_of_the_sheet_is_what_its_formula_says():
    """In exact decimals, by the text of the formulas: nobody has typed a result over one."""
    written, reckoned = cells(formulas=True), cells(formulas=False)
    formulas = {name: text[1:] for name, text in written.items() if str(text).startswith("=")}
    assert len(formulas) == 3 * (LAST_ROW - FIRST_ROW + 1) + 8

    def value(cell: re.Match[str]) -> str:
        return f"Decimal({str(reckoned[cell[0].replace('$', '')])!r})"

    def column(sum_of: re.Match[str]) -> str:
        rows = range(int(sum_of[2]), int(sum_of[3]) + 1)
        return "(" + "+".join(f"{sum_of[1]}{row}" for row in rows) + ")"

    for name, formula in formulas.items():
        text = re.sub(r"SUM\(([A-Z])(\d+):[A-Z](\d+)\)", column, formula).replace("ROUND", "round")
        exact = eval(CELL.sub(value, text), {"Decimal": Decimal, "round": round})
        assert nano(exact) == nano(reckoned[name]), name


def test_the_sheet_tells_of_one_conversation_behind_one_cache(sheet: list[Step]):
    for before, step in pairwise(sheet):
        goes_on = (step.turn, step.number) != (CLOSED_BEFORE, 0)
        assert step.bill.cache_read_input_tokens == (read_and_written(before.bill) if goes_on else 0)
    assert {step.turn for step in sheet} == set(range(1, 11))


async def test_ten_cached_turns_are_charged_as_the_sheet_reckons(
    starling: Roles, claude: AnthropicStandIn, anna: Person, settings, sheet: list[Step], capsys
):
    settings.DEFAULT_MODEL = "claude-opus-5-5"
    settings.STARTING_BALANCE_USD = Decimal(1)
    for turn in range(1, 11):
        steps = [step for step in sheet if step.turn == turn]
        for step in steps:
            calls = step is not steps[-1]
            said = Use("render_latex", {"latex": "E = mc^2"}) if calls else Words(f"Answer {turn}.")
            reported = {"bill": step.bill, "output_tokens": step.output, "web_searches": step.searches}
            claude.say(said, **reported)
        await anna.send(f"Question {turn}")
        await anna.wait_for(lambda message, n=turn: message.get("text") == f"Answer {n}.")
        done = await books.all_done(turn)
        assert done[-1].cost == sum(step.charge for step in steps), f"turn {turn}"
        assert await books.balance_of(ANNA) == steps[-1].balance, f"turn {turn}"
    charges = await books.charges_of(ANNA)
    assert charges == [step.charge for step in sheet]
    assert sum(charges) == Decimal(cells(formulas=False)[f"J{SUM_ROW}"]).scaleb(-9)
    assert await models_charged() == {"claude-opus-5-5"}
    assert await books.mismatches() == []
    is_read_again(claude)
    with capsys.disabled():
        print(f"\nten cached turns: ${sum(charges):f} charged, as the sheet says; 0 nano-dollars apart")


def is_read_again(claude: AnthropicStandIn) -> None:
    """What the stand-in itself counted: each request of ours begins with all of the one before it."""
    for before, after in pairwise(request.counted for request in claude.requests):
        assert after.cache_read_input_tokens == read_and_written(before)


def read_and_written(bill: Bill) -> int:
    return bill.cache_read_input_tokens + bill.written


@books.asynchronous
def models_charged() -> set[str]:
    return set(BalanceOperation.objects.filter(kind="usage").values_list("details__model", flat=True))
