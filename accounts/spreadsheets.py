"""Cells that a spreadsheet shows and never runs. Pure."""

import re

# What Excel, LibreOffice and Google take for the beginning of a formula (OWASP: CSV injection).
FORMULA = re.compile(r"^[=+\-@\t\r\n]")
NUMBER = re.compile(r"-?\d+(\.\d+)?")


def cell(value: object) -> str:
    """A value as a cell: what looks like a formula and is no number is marked as text."""
    text = "" if value is None else str(value)
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text
