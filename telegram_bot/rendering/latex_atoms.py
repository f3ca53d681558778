"""The symbols of a formula, and how they stand beside each other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from telegram_bot.rendering import latex_symbols as symbols
from telegram_bot.rendering.latex_grids import Grid, linear

_RELATION_SIGNS: Final = frozenset("=<>:≤≥≠≈≡→←⇒∈∉∝")
_NEGATED: Final = {"=": "≠", "∈": "∉", "≡": "≢", "⊂": "⊄", "⊆": "⊈", "∣": "∤", "∃": "∄", "<": "≮", ">": "≯"}
# What needs no brackets in a fraction: above the line a product, below it and under a root one symbol.
_PRODUCT: Final = re.compile(
    r"[\w.′∞°√∂\u0300-\u036f\u20d0-\u20ff⁰-₟ᵃ-ᶿ]+|[(\[⌊⌈⟨][^()\[\]]*[)\]⌋⌉⟩]|[|‖][^|‖]*[|‖]"
)
_FACTOR: Final = re.compile(
    r"(?:\d[\d.]*|\w)[′\u0300-\u036f\u20d0-\u20ff⁰-₟ᵃ-ᶿ]*|[(\[⌊⌈⟨][^()\[\]]*[)\]⌋⌉⟩]|[|‖][^|‖]*[|‖]"
)
_WRITTEN_SCRIPT: Final = re.compile(r"[_^].$|/[^()/]+$")
_VULGAR: Final = {
    "1/2": "½", "1/3": "⅓", "2/3": "⅔", "1/4": "¼", "3/4": "¾", "1/5": "⅕", "2/5": "⅖", "3/5": "⅗",
    "4/5": "⅘",
    "1/6": "⅙", "5/6": "⅚", "1/8": "⅛", "3/8": "⅜", "5/8": "⅝", "7/8": "⅞",
}  # fmt: skip


class Kind(Enum):
    """What a symbol is, which decides the spaces around it."""

    ORDINARY = auto()
    OPERATOR = auto()
    BINARY = auto()
    RELATION = auto()
    PUNCTUATION = auto()
    OPENING = auto()
    CLOSING = auto()
    SPACE = auto()


_OPERANDS: Final = frozenset({Kind.ORDINARY, Kind.CLOSING})


@dataclass(slots=True)
class Atom:
    """A symbol, or a group that acts as one; a grid when it takes several lines."""

    kind: Kind
    text: str
    grid: Grid | None = None
    typed: bool = False  # a letter or digit, not a command


def joined(atoms: list[Atom], *, tight: bool = False) -> str:
    """The symbols in a row, with the blanks TeX would set between them; none inside a script (`tight`)."""
    pieces: list[str] = []
    before = Atom(Kind.OPENING, "")
    for atom in atoms:
        if atom.kind is Kind.SPACE:
            pieces.append(atom.text)
            continue
        if pieces and not pieces[-1].endswith(" ") and not tight and _spaced(before, atom):
            pieces.append(" ")
        pieces.append(atom.text if atom.grid is None else linear(atom.grid))
        sign = atom.kind is Kind.BINARY and before.kind not in {Kind.ORDINARY, Kind.CLOSING}
        before = Atom(Kind.OPENING, atom.text) if sign else atom
    return "".join(pieces)


def _spaced(before: Atom, after: Atom) -> bool:
    if Kind.RELATION in (before.kind, after.kind):
        return before.kind not in {Kind.OPENING, after.kind} and after.kind is not Kind.PUNCTUATION
    if after.kind is Kind.BINARY:
        return before.kind in _OPERANDS
    if before.kind is Kind.BINARY:
        return True
    if before.kind is Kind.PUNCTUATION:
        return after.kind is not Kind.CLOSING
    if before.kind is Kind.OPERATOR:
        return after.kind in {Kind.ORDINARY, Kind.OPERATOR}
    if after.kind is Kind.OPERATOR:
        return before.kind in _OPERANDS
    # In "x_θ y" and "a/b y" the last letter belongs to neither script nor fraction.
    return after.text[:1].isalnum() and _WRITTEN_SCRIPT.search(before.text) is not None


def text_of(atoms: list[Atom]) -> str:
    """The symbols as one piece of text."""
    return joined(atoms).strip()


def character(lexeme: str) -> Atom:
    """The symbol of a character that is not a command."""
    if lexeme in "+-":
        return Atom(Kind.BINARY, "−" if lexeme == "-" else lexeme)
    if lexeme in _RELATION_SIGNS:
        return Atom(Kind.RELATION, lexeme)
    if lexeme in ",;":
        return Atom(Kind.PUNCTUATION, lexeme)
    if lexeme in symbols.OPENING:
        return Atom(Kind.OPENING, lexeme)
    if lexeme in symbols.CLOSING or lexeme == "!":
        return Atom(Kind.CLOSING, lexeme)
    return Atom(Kind.ORDINARY, lexeme, typed=lexeme.isalnum())


def symbol(lexeme: str) -> Atom:
    """The symbol of a command; an unknown one is shown by its name."""
    name = lexeme[1:]
    for kind, table in (
        (Kind.ORDINARY, symbols.ORDINARY),
        (Kind.BINARY, symbols.BINARY),
        (Kind.RELATION, symbols.RELATIONS),
        (Kind.OPERATOR, symbols.OPERATORS),
        (Kind.SPACE, symbols.SPACES),
    ):
        if name in table:
            return Atom(kind, table[name])
    for kind, table in (
        (Kind.OPENING, symbols.OPENING),
        (Kind.CLOSING, symbols.CLOSING),
        (Kind.ORDINARY, symbols.BARS),
    ):
        if lexeme in table:
            return Atom(kind, table[lexeme])
    return Atom(Kind.OPERATOR if name.isalpha() else Kind.ORDINARY, name)


def attach(atoms: list[Atom], sign: str, script: list[Atom]) -> None:
    """Put a script to the last symbol: in small characters if there are any, else as it was written."""
    while atoms and atoms[-1].kind is Kind.SPACE:
        atoms.pop()
    if not atoms or atoms[-1].grid is not None:
        atoms.append(Atom(Kind.ORDINARY, ""))
    if not script:
        return
    text = joined(script, tight=True).strip()
    table = symbols.SUPERSCRIPTS if sign == "^" else symbols.SUBSCRIPTS
    raised = "°" if (sign, text) == ("^", "∘") else small(text, table)
    if raised is None:
        raised = sign + (text if len(text) == 1 else f"({text})")
    last = atoms[-1]
    kind = Kind.ORDINARY if last.kind is Kind.BINARY else last.kind
    atoms[-1] = Atom(kind, last.text + raised)


def small(text: str, table: dict[str, str]) -> str | None:
    """The text in the small characters of a table; None if it lacks one of them."""
    found = [table.get(piece) for piece in text if piece != " "]
    return None if None in found else "".join(piece or "" for piece in found)


def fraction(above: str, below: str) -> str:
    """a/b, with brackets where one line needs them."""
    if above and not _PRODUCT.fullmatch(above):
        above = f"({above})"
    return _VULGAR.get(f"{above}/{below}", f"{above}/{factor(below)}")


def factor(text: str) -> str:
    """The text, in brackets unless it is one symbol."""
    return text if not text or _FACTOR.fullmatch(text) else f"({text})"


def accented(name: str, atoms: list[Atom]) -> list[Atom]:
    """The symbols under an accent or a line, or struck out by \\not."""
    text = text_of(atoms)
    if name == "not":
        kind = atoms[0].kind if atoms else Kind.RELATION
        return [Atom(kind, _NEGATED.get(text, text + symbols.ACCENTS[name]))]
    if name in symbols.LINES:
        return [Atom(Kind.ORDINARY, "".join(piece + symbols.LINES[name] for piece in text))]
    return [Atom(Kind.ORDINARY, text + symbols.ACCENTS[name] if text else "")]
