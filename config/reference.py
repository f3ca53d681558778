"""The parts of docs/ that the code itself can tell: tables, tools, the cache, commands.

Apps are read by name, as INSTALLED_APPS does: nothing here imports one.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.db.models import Q
from django.db.models.expressions import Col, CombinedExpression, F, Value
from django.utils import translation

APPS = ("accounts", "billing", "conversations", "tools", "telegram_bot")
# What every table means by the same name.
MEANINGS = {"id": "Primary key.", "created_at": "When the row was made."}
# What Django's own user model brings to Staff, without saying what it is.
OF_DJANGO = {
    "password": "A hash of it, never the password.",
    "last_login": "When they last logged in to the admin.",
    "first_name": "Their own, for their colleagues.",
    "last_name": "Their own, for their colleagues.",
    "email": "Where they are reached.",
    "date_joined": "When the account was made.",
}
OPPOSITES = {"=": "≠", ">": "≤", "≥": "<", "<": "≥", "≤": ">"}
COMPARISONS = {"exact": "=", "gt": ">", "gte": "≥", "lt": "<", "lte": "≤"}


def database() -> str:
    """Every table: its columns, and its constraints and indexes in words."""
    return "\n".join(
        _table_of(model)
        for app in APPS
        for model in apps.get_app_config(app).get_models()
        if not model._meta.proxy  # a view of another table's rows
    ).rstrip()


def without_meaning() -> list[str]:
    """Columns nobody has said the meaning of."""
    return [
        f"{model.__name__}.{field.name}"
        for app in APPS
        for model in apps.get_app_config(app).get_models()
        if not model._meta.proxy
        for field in model._meta.concrete_fields
        if not _said(field)
    ]


def tools() -> str:
    """Every tool a model may be offered, with its parameters and limits."""
    catalog = import_module("tools.catalog").tools()
    rows = [
        (
            f"`{tool.name}`",
            _one_line(tool.description.partition("\n\n")[0]),
            "<br>".join(_parameters(tool.schema)) or "–",
            _price(tool),
            f"{tool.seconds_max:g} s",
            tool.runs_in,
            "yes" if tool.repeatable else "no",
        )
        for tool in catalog.values()
    ]
    headers = (
        "tool",
        "what it does",
        "parameters",
        "price",
        "limit",
        "runs in",
        "may run again after a crash",
    )
    return _rows(headers, rows)


def _price(tool: Any) -> str:
    if tool.native:
        return "its vendor's"
    if callable(tool.price_max):
        return "by its arguments"
    return f"at most ${tool.price_max:f}" if tool.price_max else "free"


def cache() -> str:
    """The names and lifetimes of what is cached."""
    lifetimes = import_module("conversations.cache").lifetimes()
    rows = [(f"`{one.key}`", one.what, f"{one.seconds} s") for one in lifetimes]
    return _rows(("key", "what", "lives"), rows)


def commands() -> str:
    """The bot's menu, in every language."""
    private = import_module("telegram_bot.handlers.commands").MENU
    in_groups = import_module("telegram_bot.handlers.groups").GROUP_MENU
    entries = {one.command: one for one in (*in_groups, *private)}
    names = {one.command for one in in_groups}
    rows = [
        (f"`/{name}`", *_in_each_language(one.description), "yes" if name in names else "")
        for name, one in entries.items()
    ]
    return _rows(("command", *(name for _, name in settings.LANGUAGES), "in groups"), rows)


def stars() -> str:
    """What each package is worth at the first rate, share by share, with no margin of the owner's and with a tenth."""
    packages = import_module("billing.stars").PACKAGES.values()
    worth = import_module("billing.models_stars").worth
    first = import_module("billing.price_sync").FIRST_STAR_RATE
    written = import_module("accounts.money").exact_dollars
    margin = Decimal("0.10")
    with_margin = apps.get_model("billing", "StarRate")(**{**first, "k3": margin})
    without = apps.get_model("billing", "StarRate")(**first)
    rows = []
    for package in packages:
        paid = package.stars * first["usd_per_star"]
        k1, k2, k3 = (written(paid * share) for share in (first["k1"], first["k2"], margin))
        credited, less = (f"**{written(worth(package.stars, rate))}**" for rate in (without, with_margin))
        amount = f"{package.stars}{' a month' if package.monthly else ''}"
        rows.append((str(package.title), amount, written(paid), k1, k2, credited, k3, less))
    shares = [f"less {name}, {share:.0%}" for name, share in (("k1", first["k1"]), ("k2", first["k2"]))]
    price = f"× {written(first['usd_per_star'])}"
    headers = ("package", "Stars", price, *shares, "credited with k3 = 0", f"less k3, {margin:.0%}")
    return _rows((*headers, f"credited with k3 = {margin:f}"), rows)


def kinds() -> str:
    """Every kind of message, and what becomes of it."""
    registry = import_module("telegram_bot.kinds").KINDS
    rows = [(f"`{kind.name}`", kind.happens) for kind in registry.values()]
    return _rows(("kind", "what happens to it"), rows)


# What `manage.py docs` keeps up to date: a page, the name of the part in it, and who writes that part.
PARTS: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("database.md", "tables", database),
    ("tools.md", "tools", tools),
    ("cache.md", "lifetimes", cache),
    ("commands.md", "commands", commands),
    ("stars.md", "packages", stars),
    ("kinds.md", "kinds", kinds),
)


# Tables ------------------------------------------------------------------------------------------


def _table_of(model: type[models.Model]) -> str:
    """One model as a section."""
    opts = model._meta
    doc = inspect.cleandoc(model.__doc__ or "")
    lines = [f"## {model.__name__} (`{opts.db_table}`)", "", doc, ""]
    headers = ("column", "type", "null", "meaning")
    lines.append(_rows(headers, [_column(field) for field in opts.concrete_fields]))
    rules = [
        *(_unique(field) for field in opts.concrete_fields if field.unique and not field.primary_key),
        *(_constraint(constraint) for constraint in opts.constraints),
        *(_index(index) for index in opts.indexes),
        *(f"Index on {field.column}." for field in opts.concrete_fields if _has_own_index(field)),
    ]
    if rules:
        lines += ["", *(f"* {rule}" for rule in rules)]
    return "\n".join([*lines, ""])


def _column(field: "models.Field[Any, Any]") -> tuple[str, ...]:
    return (f"`{field.column}`", _type(field), "yes" if field.null else "no", _meaning(field))


def _type(field: "models.Field[Any, Any]") -> str:
    return str(field.db_type(connection))


def _meaning(field: "models.Field[Any, Any]") -> str:
    """The help text; where a key leads and what a delete does there; the values of a choice."""
    words = [_said(field)]
    if isinstance(field, models.ForeignKey):
        target = field.related_model._meta
        words.append(f"→ `{target.db_table}`; {_on_delete(field)}.")
    if field.choices:
        words.append("One of " + ", ".join(f"`{value}`" for value, _ in field.flatchoices) + ".")
    return " ".join(word for word in words if word)


def _said(field: "models.Field[Any, Any]") -> str:
    """What somebody wrote about a column."""
    own = str(field.help_text) or MEANINGS.get(field.name, "")
    is_django_s = field.model is apps.get_model(settings.AUTH_USER_MODEL)
    return own or (OF_DJANGO.get(field.name, "") if is_django_s else "")


def _on_delete(field: "models.ForeignKey[Any, Any]") -> str:
    what = {
        "CASCADE": "goes with it",
        "PROTECT": "keeps it from being deleted",
        "SET_NULL": "is emptied with it",
        "DO_NOTHING": "outlives it",
    }
    return what[field.remote_field.on_delete.__name__]  # type: ignore[union-attr]  # Django sets it


def _unique(field: "models.Field[Any, Any]") -> str:
    return f"No two rows have the same {field.column}."


def _has_own_index(field: "models.Field[Any, Any]") -> bool:
    return bool(getattr(field, "db_index", False)) and not field.unique


def _constraint(constraint: models.BaseConstraint) -> str:
    if isinstance(constraint, models.CheckConstraint):
        return f"{_in_words(constraint.condition)} (`{constraint.name}`)."
    assert isinstance(constraint, models.UniqueConstraint), constraint
    together = ", ".join(constraint.fields)
    where = f" where {_in_words(constraint.condition)}" if constraint.condition else ""
    nulls = "; null counts as a value" if constraint.nulls_distinct is False else ""
    return f"No two rows{where} have the same {together}{nulls} (`{constraint.name}`)."


def _index(index: models.Index) -> str:
    names = ", ".join(f"{name} descending" if down else name for name, down in index.fields_orders)
    include = f", with {', '.join(index.include)}" if index.include else ""
    where = f", of rows where {_in_words(index.condition)}" if index.condition else ""
    return f"Index on {names}{include}{where} (`{index.name}`)."


def _in_words(condition: Any) -> str:
    """A condition as a reader would say it: `amount > 0 and kind is one of grant, gift_in`."""
    if not isinstance(condition, Q):
        return _comparison(*condition)
    if condition.negated and len(condition.children) == 1 and isinstance(condition.children[0], tuple):
        lookup, value = condition.children[0]
        return _comparison(lookup, value, negated=True)
    parts = [_in_words(child) for child in condition.children]
    joint = f" {condition.connector.lower()} "
    nested = [
        f"({part})" if isinstance(child, Q) and len(child.children) > 1 and len(parts) > 1 else part
        for child, part in zip(condition.children, parts, strict=True)
    ]
    words = joint.join(nested)
    return f"not ({words})" if condition.negated else words


def _comparison(lookup: str, value: Any, *, negated: bool = False) -> str:
    name, _, how = lookup.partition("__")
    no = "not " if negated else ""
    if how == "isnull":
        return f"{name} is {'' if value is not negated else 'not '}null"
    if how == "in":
        return f"{name} is {no}one of {', '.join(str(one) for one in value)}"
    if value == "":
        return f"{name} is {no}empty"
    if isinstance(value, bool):
        return f"{name} is {'true' if value is not negated else 'false'}"
    sign = COMPARISONS[how or "exact"]
    return f"{name} {OPPOSITES[sign] if negated else sign} {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, CombinedExpression):
        return f"{_value(value.lhs)} {value.connector} {_value(value.rhs)}"
    if isinstance(value, F | Col):
        return str(getattr(value, "name", value))
    if isinstance(value, Value):
        return _value(value.value)
    if isinstance(value, Decimal):
        return f"{value:,f}"
    return str(value)


# Tools and commands ------------------------------------------------------------------------------


def _parameters(schema: dict[str, Any]) -> Iterable[str]:
    required = schema.get("required", [])
    for name, parameter in schema["properties"].items():
        default = "" if name in required else f" = {parameter.get('default')!r}"
        yield f"`{name}{default}`: {_one_line(parameter['description'])}"


def _in_each_language(words: object) -> Iterable[str]:
    for code, _ in settings.LANGUAGES:
        with translation.override(code):
            yield str(words)


def _rows(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _one_line(text: str) -> str:
    return " ".join(text.split())
