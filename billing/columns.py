"""The columns every table of money is made of."""

from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

KEY_LENGTH_MAX = 200  # a Telegram charge id has about 90 characters


class ExactJSONEncoder(DjangoJSONEncoder):
    """Writes decimals as strings and refuses floats: what explains a charge must be exact."""

    def encode(self, o: Any) -> str:
        refuse_floats(o)
        return super().encode(o)


def refuse_floats(value: Any) -> None:
    """Raise TypeError when a float stands anywhere in `value`."""
    if isinstance(value, float):
        raise TypeError(f"a float among the details of money: {value!r}")
    if isinstance(value, dict):
        for item in value.values():
            refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            refuse_floats(item)


def dollars(**options: Any) -> "models.DecimalField[Any, Any]":
    """A column of dollars: nine places hold one token at any price, so nothing is ever rounded."""
    return models.DecimalField(max_digits=20, decimal_places=9, **options)
