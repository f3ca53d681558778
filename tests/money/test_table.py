"""The table's one promise: a figure that must be nothing and is not makes the run fail, by name."""

from decimal import Decimal

from tests.money.table import Table


def test_a_figure_that_must_be_nothing_and_is_not_is_named(capsys):
    table = Table()
    table.zero("double credits", 0)
    table.zero("uncredited Stars", 100)
    table.add("worst balance", Decimal("-0.31"), fine=Decimal("-0.31") >= Decimal("-0.30"))
    assert table.wrong == ["uncredited Stars", "worst balance"]
    printed = capsys.readouterr().out.splitlines()
    assert [line.endswith("WRONG") for line in printed] == [False, True, True]


def test_every_figure_stands_in_the_table_for_the_documents(capsys):
    table = Table()
    table.add("pre-checkout p50 (s)", 0.0421)
    table.add("worst balance, $", Decimal("-0.300000000"))
    table.add("operations", 12345)
    assert table.markdown().splitlines()[2:] == [
        "| pre-checkout p50 (s) | 0.042 |",
        "| worst balance, $ | −0.3 |",
        "| operations | 12,345 |",
    ]
