"""Cells that a spreadsheet shows and never runs. Pure."""

import re
from datetime import datetime
from decimal import Decimal

# What Excel, LibreOffice and Google take for the beginning of a formula (OWASP: CSV injection).
FORMULA = re.compile(r"^[=+\-@\t\r\n]")
NUMBER = re.compile(r"-?\d+(\.\d+)?")


def cell(value: object) -> str:
    """A value as a cell: what looks like a formula and is no number is marked as text."""
    text = _text(value)
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value)
