"""`@tool`: a typed, documented coroutine becomes a Tool.

The signature is the schema: every parameter after the context is `Annotated` with pydantic's
`Field`, which carries its description and limits. The docstring is what the model reads about the
tool. What a model sends is checked and coerced before the coroutine sees it.
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from conversations.contracts import Tool, ToolContext, ToolFailed, ToolOutput

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")  # the narrowest of the vendors' rules
DESCRIPTION_MAX = 1024  # characters; OpenAI's limit, the smallest
SHOWN_MAX = 80  # characters of a wrong value repeated to the model

Coroutine = Callable[..., Awaitable[ToolOutput]]


class _Arguments(BaseModel):
    """What every tool's arguments share: nothing unasked for, and defaults held to their own limits."""

    model_config = ConfigDict(extra="forbid", validate_default=True)


def tool(
    *,
    label: Any,
    icon: str,
    seconds_max: float,
    name: str | None = None,
    price_max: Decimal | Callable[[Mapping[str, Any]], Decimal] = Decimal(0),
    repeatable: bool = True,
    runs_in: Literal["bot", "worker"] = "bot",
    native: bool = False,
) -> Callable[[Coroutine], Tool]:
    """Make a Tool of a coroutine `(context: ToolContext, …) -> ToolOutput`.

    `label` are the (lazy) words a person sees while it runs, `price_max` the dollars one call may
    cost at most, or a function of its checked arguments that says so; it may ask billing.prices.
    Raises TypeError where the coroutine is not typed and documented.
    """
    if not callable(price_max) and price_max < 0:
        raise ValueError(f"price_max={price_max} is no price")

    def make(coroutine: Coroutine) -> Tool:
        return Tool(
            name=_name(name or coroutine.__name__),
            description=_description(coroutine),
            schema=_schema(arguments := _arguments(coroutine)),
            run=_checked(coroutine, arguments),
            label=label,
            icon=icon,
            price_max=_priced(coroutine.__name__, arguments, price_max) if callable(price_max) else price_max,
            seconds_max=seconds_max,
            repeatable=repeatable,
            runs_in=runs_in,
            native=native,
        )

    return make


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a tool: {NAME.pattern}")
    return name


def _description(coroutine: Coroutine) -> str:
    description = inspect.getdoc(coroutine) or ""
    if not description:
        raise TypeError(f"{coroutine.__name__} needs a docstring: it is all a model knows about the tool")
    if len(description) > DESCRIPTION_MAX:
        raise TypeError(f"{coroutine.__name__}: a description has at most {DESCRIPTION_MAX} characters")
    return description


def _arguments(coroutine: Coroutine) -> type[BaseModel]:
    """The parameters after the context as a pydantic model."""
    if not inspect.iscoroutinefunction(coroutine):
        raise TypeError(f"{coroutine.__name__} must be a coroutine (async def)")
    hints = get_type_hints(coroutine, include_extras=True)
    context, *parameters = inspect.signature(coroutine).parameters.values()
    if hints.get(context.name) is not ToolContext or hints.get("return") is not ToolOutput:
        raise TypeError(f"{coroutine.__name__} must be typed (context: ToolContext, …) -> ToolOutput")
    fields: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.name not in hints or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
            parameter.POSITIONAL_ONLY,
        ):
            raise TypeError(f"{coroutine.__name__}: {parameter} must be a typed, named parameter")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    arguments: type[BaseModel] = create_model(coroutine.__name__, __base__=_Arguments, **fields)
    for field, info in arguments.model_fields.items():
        if not info.description:
            raise TypeError(f"{coroutine.__name__}: describe {field} by Annotated[…, Field(description=…)]")
    return arguments


def _schema(arguments: type[BaseModel]) -> dict[str, Any]:
    schema = arguments.model_json_schema()
    # Pydantic's titles only repeat the names, on every request, at the price of tokens.
    schema.pop("title")
    schema.pop("description", None)
    schema.setdefault("properties", {})
    for definition in schema["properties"].values():
        definition.pop("title", None)
    return schema


def _checked(coroutine: Coroutine, arguments: type[BaseModel]) -> Coroutine:
    async def run(context: ToolContext, /, **given: Any) -> ToolOutput:
        return await coroutine(context, **_valid(coroutine.__name__, arguments, given))

    return run


def _priced(
    name: str, arguments: type[BaseModel], price_max: Callable[[Mapping[str, Any]], Decimal]
) -> Callable[[Mapping[str, Any]], Decimal]:
    def ceiling(given: Mapping[str, Any]) -> Decimal:
        return price_max(_valid(name, arguments, given))

    return ceiling


def _valid(name: str, arguments: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, checked and with their defaults. Raises ToolFailed that says what is wrong with each."""
    try:
        checked = arguments.model_validate(dict(given))
    except ValidationError as error:
        raise ToolFailed(_sentence(name, error)) from error
    return {field: getattr(checked, field) for field in arguments.model_fields}


def _sentence(name: str, error: ValidationError) -> str:
    """What is wrong with each argument, in words a model can act on."""
    faults = []
    for fault in error.errors(include_url=False, include_context=False):
        where = ".".join(str(step) for step in fault["loc"]) or "arguments"
        shown = "" if fault["type"] == "missing" else f" (got {_short(fault['input'])})"
        faults.append(f"{where}: {fault['msg']}{shown}")
    return f"{name} was not run, its arguments are wrong. {'; '.join(faults)}."


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= SHOWN_MAX else f"{shown[:SHOWN_MAX]}…"
