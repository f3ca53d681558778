"""What a stand-in says that aiogram has no name for."""

from typing import Any

from pydantic import BaseModel


def unknown(value: Any, path: str = "") -> list[str]:
    """Fields of an answer, at any depth, that aiogram's type does not name."""
    if isinstance(value, list):
        return [found for item in value for found in unknown(item, path)]
    if not isinstance(value, BaseModel):
        return []
    extra = [f"{path}{name}" for name in value.model_extra or {}]
    inner = [
        unknown(getattr(value, name), f"{path}{name}.")
        for name in value.model_fields_set & type(value).model_fields.keys()
    ]
    return extra + [found for part in inner for found in part]
