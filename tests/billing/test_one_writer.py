"""Read from the source: only the ledger writes money, and no float comes near it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

ROOT = Path(__file__).resolve().parents[2]
APPS = ("config", "accounts", "billing", "conversations", "tools", "telegram_bot")
LEDGER = ROOT / "billing" / "ledger.py"
ERRORS = ROOT / "billing" / "errors.py"  # an error carries the balance it saw

SUMS = {"balance", "held"}
ROWS = {"BalanceOperation", "Hold"}
WRITES = {
    *("create", "acreate", "bulk_create", "abulk_create", "get_or_create", "aget_or_create"),
    *("update", "aupdate", "bulk_update", "abulk_update", "update_or_create", "aupdate_or_create"),
    *("delete", "adelete", "save", "asave"),
}
WRITING_SQL = re.compile(
    r"\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE)\s+\W?billing_(balanceoperation|hold)\b"
    r"|\bUPDATE\s+\W?accounts_user\b.*\bSET\b.*\b(balance|held)\b",
    re.IGNORECASE | re.DOTALL,
)
MONEY_WORD = re.compile(
    r"(^|_)(amount|balance|cost|dollars|estimate|held|price|rate|rates|spent|usd)(_|$)", re.IGNORECASE
)


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


# Who writes --------------------------------------------------------------------------------------


def writes_of_money(source: str) -> list[str]:
    """Every place in a module that writes a balance, a held sum, an operation or a hold."""
    return [f"line {node.lineno}" for node in ast.walk(ast.parse(source)) if writes_money(node)]


def writes_money(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return isinstance(node.ctx, ast.Store) and node.attr in SUMS
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and bool(WRITING_SQL.search(node.value))
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if isinstance(called, ast.Name):
        named = {keyword.arg for keyword in node.keywords}
        return called.id in ROWS or (called.id == "User" and bool(named & SUMS))
    if not isinstance(called, ast.Attribute) or called.attr not in WRITES:
        return False
    if names_in(called.value) & (ROWS | {"operations", "holds"}):
        return True
    told = {keyword.arg for keyword in node.keywords}
    told |= {item.value for item in ast.walk(node) if isinstance(item, ast.Constant)}
    return bool(told & SUMS)


def names_in(node: ast.AST) -> set[str]:
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return names | {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}


def test_only_the_ledger_writes_balances_operations_and_holds():
    found = {
        str(path.relative_to(ROOT)): writes
        for path in sources(*APPS)
        if path not in (LEDGER, ERRORS) and (writes := writes_of_money(path.read_text()))
    }
    assert found == {}


def test_the_ledger_itself_is_seen_writing():
    assert len(writes_of_money(LEDGER.read_text())) >= 5


@pytest.mark.parametrize(
    "source",
    [
        "user.balance -= cost",
        "user.held = Decimal(0)",
        "User.objects.filter(pk=1).update(balance=F('balance') - 1)",
        "User.objects.update_or_create(pk=1, defaults={'balance': 5})",
        "User(balance=5)",
        "user.save(update_fields=['balance'])",
        "BalanceOperation(user=user)",
        "BalanceOperation.objects.create(user=user)",
        "Hold.objects.filter(key=key).update(state='open')",
        "user.operations.all().delete()",
        "await user.holds.aupdate(state='open')",
        "cursor.execute('UPDATE accounts_user SET held = 0')",
        "cursor.execute('''delete from\\n billing_hold''')",
        "cursor.execute('INSERT INTO \"billing_balanceoperation\" VALUES (1)')",
    ],
)
def test_a_second_writer_would_be_found(source: str):
    assert writes_of_money(source)


@pytest.mark.parametrize(
    "source",
    [
        "reply(message, 'balance', balance=user.balance)",
        "User.objects.filter(pk=1).update(language='ru')",
        "BalanceOperation.objects.filter(user=user).count()",
        "cursor.execute('SELECT balance FROM accounts_user')",
        "ledger.hold(1, key='turn:1')",
    ],
)
def test_a_reader_is_no_writer(source: str):
    assert not writes_of_money(source)


# No float ----------------------------------------------------------------------------------------


def floats_at_money(source: str) -> list[str]:
    """Every expression in a module that brings a float and something named like money together."""
    return [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(source))
        if isinstance(
            node,
            ast.Assign | ast.AnnAssign | ast.AugAssign | ast.BinOp | ast.Compare | ast.Call | ast.keyword,
        )
        and any(is_float(part) for part in ast.walk(node))
        and any(MONEY_WORD.search(name) for name in names_told(node))
    ]


def is_float(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "float"
    return isinstance(node, ast.Constant) and isinstance(node.value, float)


def names_told(node: ast.AST) -> set[str]:
    told = {part.arg for part in ast.walk(node) if isinstance(part, ast.keyword) and part.arg}
    return names_in(node) | told


def test_no_float_meets_money_anywhere():
    found = {
        str(path.relative_to(ROOT)): floats
        for path in sources(*APPS)
        if (floats := floats_at_money(path.read_text()))
    }
    assert found == {}


def test_no_column_of_money_is_a_float_column():
    columns = [field for model in apps.get_models() for field in model._meta.get_fields()]
    assert not [
        column
        for column in columns
        if isinstance(column, models.FloatField) and MONEY_WORD.search(column.name)
    ]


def test_billing_has_no_float_but_the_pause_between_attempts():
    floats = [
        (path.name, ast.unparse(node))
        for path in sources("billing")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.expr) and is_float(node)
    ]
    assert floats == [("transactions.py", "0.05")]


@pytest.mark.parametrize(
    "source",
    [
        "cost = tokens * 0.000003",
        "ledger.settle(hold, key=key, amount=0.1, details={})",
        "price = float(row.price)",
        "cost += float(x)",
        "allowed = user.balance > 0.0",
        "STARTING_BALANCE_USD = 1.0",
        "show(usd=float(total))",
    ],
)
def test_a_float_near_money_would_be_found(source: str):
    assert floats_at_money(source)
