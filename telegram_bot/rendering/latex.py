"""TeX formulas as Unicode text: an approximation that can be read, in which no symbol is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from telegram_bot.rendering import latex_symbols as symbols
from telegram_bot.rendering.latex_atoms import (
    Atom,
    Kind,
    accented,
    attach,
    character,
    factor,
    fraction,
    joined,
    small,
    symbol,
    text_of,
)
from telegram_bot.rendering.latex_grids import Grid, beside

_TOKEN: Final = re.compile(r"\\(?:begin|end)\s*\{[^{}]*\}|\\[a-zA-Z]+\*?|\\.|\s+|%[^\n]*\n?|.", re.DOTALL)
_ENVIRONMENT: Final = re.compile(r"\\(begin|end)\s*\{([^{}]*)\}")
_COUNT: Final = re.compile(r"(?<=[A-Za-z)\]])\d+")
_CHARGE: Final = re.compile(r"\^\{?(\d*[+-]?)\}?|(?<=[A-Za-z₀-₉)\]])([+-])(?=\s|$)")
_ROW_END: Final = frozenset({"\\\\", "\\cr", "\\newline", "\\tabularnewline"})
_STARRED: Final = frozenset({"\\operatorname*", "\\tag*"})
_MADE_ORDINARY: Final = frozenset({Kind.BINARY, Kind.RELATION, Kind.PUNCTUATION})
_GROUP_DEPTH_MAX: Final = 40


def to_unicode(tex: str, *, display: bool = False) -> str:
    """The formula in Unicode; on several lines only if it stands by itself (`display`)."""
    rows = _Reader(tex).rows()
    lines: list[str] = []
    for row in rows:
        atoms = [atom for cell in row for atom in cell]
        if display and any(atom.grid for atom in atoms):
            lines += _drawn(atoms)
        else:
            lines.append(joined(atoms))
    shown = [line.rstrip() for line in lines if line.strip()]
    return "\n".join(shown) if display else "; ".join(line.strip() for line in shown)


def _drawn(atoms: list[Atom]) -> list[str]:
    """The atoms side by side, grids centred on the line of the others."""
    nothing = Atom(Kind.ORDINARY, "")
    blocks: list[list[str]] = []
    flat: list[Atom] = []
    for atom in [*atoms, None]:
        if atom is not None and atom.grid is None:
            flat.append(atom)
            continue
        if flat:
            # An equals sign before or after a grid keeps its blank.
            before, after = [nothing] * bool(blocks), [nothing] * (atom is not None)
            blocks.append([joined([*before, *flat, *after])])
            flat = []
        if atom is not None and atom.grid is not None:
            blocks.append(atom.grid.lines())
    return beside(blocks)


class _Reader:
    """Reads TeX once, from left to right."""

    def __init__(self, tex: str) -> None:
        self._tokens = _TOKEN.findall(tex)
        self._position = 0
        self._depth = 0

    def rows(self) -> list[list[list[Atom]]]:
        """Everything, as rows of cells of atoms."""
        rows = self._rows(end=None)
        while self._position < len(self._tokens):  # a brace or an end too many
            self._position += 1
            rows[-1][-1] += [atom for row in self._rows(end=None) for cell in row for atom in cell]
        return rows

    def _rows(self, end: str | None) -> list[list[list[Atom]]]:
        """Rows up to the closing brace or the named \\end, which is left to be read."""
        rows: list[list[list[Atom]]] = [[[]]]
        while self._position < len(self._tokens):
            lexeme = self._tokens[self._position]
            if lexeme == "}" or lexeme.startswith("\\end"):
                if end is not None or lexeme == "}":
                    break
                self._position += 1
            elif lexeme == "&":
                self._position += 1
                rows[-1].append([])
            elif lexeme in _ROW_END:
                self._position += 1
                self._optional()
                rows.append([[]])
            else:
                self._atom(rows[-1][-1])
        return rows

    def _atom(self, atoms: list[Atom]) -> None:
        lexeme = self._tokens[self._position]
        self._position += 1
        if lexeme.isspace() or lexeme == "~":
            self._blank(atoms, lexeme)
        elif lexeme.startswith("%") and len(lexeme) > 1:
            return
        elif lexeme in {"^", "_"}:
            attach(atoms, lexeme, self._argument())
        elif lexeme == "'":
            attach(atoms, "^", [Atom(Kind.ORDINARY, "′")])
        elif lexeme == "{":
            group = self._group()
            if len(group) == 1 and group[0].kind in _MADE_ORDINARY:  # 3{,}000
                group = [Atom(Kind.ORDINARY, group[0].text)]
            atoms.extend(group)
        elif lexeme.startswith("\\"):
            self._command(atoms, lexeme)
        else:
            atoms.append(character(lexeme))

    def _blank(self, atoms: list[Atom], lexeme: str) -> None:
        """TeX ignores blanks; between letters and digits they are kept, in case the formula is prose."""
        following = self._tokens[self._position] if self._position < len(self._tokens) else ""
        if lexeme == "~" or (atoms and atoms[-1].typed and following.isalnum()):
            atoms.append(Atom(Kind.SPACE, " "))

    def _group(self) -> list[Atom]:
        """The atoms of a braced group whose opening brace has been read."""
        if self._depth >= _GROUP_DEPTH_MAX:
            return []
        self._depth += 1
        rows = self._rows(end="}")
        self._depth -= 1
        if self._position < len(self._tokens) and self._tokens[self._position] == "}":
            self._position += 1
        return [atom for row in rows for cell in row for atom in cell]

    def _argument(self) -> list[Atom]:
        """The group or the single symbol that comes next."""
        self._skip_blanks()
        if self._position >= len(self._tokens) or self._tokens[self._position] in {"}", "&", *_ROW_END}:
            return []
        if self._depth >= _GROUP_DEPTH_MAX:
            return []
        self._depth += 1
        atoms: list[Atom] = []
        self._atom(atoms)
        self._depth -= 1
        return atoms

    def _optional(self) -> list[Atom] | None:
        """The argument in square brackets that comes next, if one does."""
        if self._position >= len(self._tokens) or self._tokens[self._position] != "[":
            return None
        try:
            end = self._tokens.index("]", self._position)
        except ValueError:
            return None
        inner = "".join(self._tokens[self._position + 1 : end])
        self._position = end + 1
        return [Atom(Kind.ORDINARY, to_unicode(inner))]

    def _skip_blanks(self) -> None:
        while self._position < len(self._tokens) and self._tokens[self._position].isspace():
            self._position += 1

    def _raw(self) -> str:
        """The text of the braced group that comes next, as it was written."""
        self._skip_blanks()
        if self._position >= len(self._tokens) or self._tokens[self._position] != "{":
            return text_of(self._argument())
        depth = 0
        start = self._position
        while self._position < len(self._tokens):
            lexeme = self._tokens[self._position]
            depth += (lexeme == "{") - (lexeme == "}")
            self._position += 1
            if not depth:
                break
        inner = self._tokens[start + 1 : self._position - (not depth)]
        return "".join(_plain_text(inner))

    def _command(self, atoms: list[Atom], lexeme: str) -> None:
        name = lexeme[1:]
        if (environment := _ENVIRONMENT.match(lexeme)) is not None:
            atoms.extend(self._environment(environment[2]))
        elif lexeme.endswith("*") and lexeme not in _STARRED:
            self._command(atoms, lexeme[:-1])
        elif name in symbols.TEXTS or name in symbols.HIDDEN or name in symbols.ALPHABETS:
            self._words(atoms, name)
        elif name in _FUNCTIONS:
            atoms.append(_FUNCTIONS[name](self))
        elif name in symbols.ACCENTS or name in symbols.LINES:
            atoms.extend(accented(name, self._argument()))
        elif name in symbols.PLAIN:
            atoms.extend(self._argument())
        elif name in symbols.IGNORED:
            self._delimiter(atoms, name)
        else:
            atoms.append(symbol(lexeme))

    def _words(self, atoms: list[Atom], name: str) -> None:
        text = self._raw()
        if name in symbols.ALPHABETS:
            text = "".join(symbols.ALPHABETS[name].get(character, character) for character in text)
        if name in symbols.HIDDEN or not text:
            return
        if name == "ce":
            text = _chemistry(text)
        if name.startswith("tag"):
            text = f"  ({text})"
        atoms.append(Atom(Kind.OPERATOR if name.startswith("operatorname") else Kind.ORDINARY, text))

    def _delimiter(self, atoms: list[Atom], name: str) -> None:
        """After \\left and its kin a full stop stands for no delimiter."""
        if name in {"left", "right", "middle"}:
            self._skip_blanks()
            if self._position < len(self._tokens) and self._tokens[self._position] == ".":
                self._position += 1
            elif name != "middle" and self._position < len(self._tokens):
                lexeme = self._tokens[self._position]
                if lexeme in symbols.BARS:
                    self._position += 1
                    kind = Kind.OPENING if name == "left" else Kind.CLOSING
                    atoms.append(Atom(kind, symbols.BARS[lexeme]))

    def _environment(self, name: str) -> list[Atom]:
        base = name.rstrip("*")
        if self._depth >= _GROUP_DEPTH_MAX:
            return []
        if base in {"array", "alignat", "alignedat", "tabular"}:
            self._raw()
        self._depth += 1
        rows = self._rows(end=name)
        self._depth -= 1
        if self._position < len(self._tokens) and self._tokens[self._position] != "}":
            self._position += 1
        cells = [[joined(cell).strip() for cell in row] for row in rows]
        cells = [row for row in cells if any(row)]
        if not cells:
            return []
        if base in symbols.FENCES:
            return [Atom(Kind.ORDINARY, "", Grid(base, cells))]
        return [Atom(Kind.ORDINARY, "", Grid("", cells))]

    def fraction(self) -> Atom:
        """a/b, with brackets where one line needs them."""
        above, below = text_of(self._argument()), text_of(self._argument())
        return Atom(Kind.ORDINARY, fraction(above, below))

    def root(self) -> Atom:
        """√x, ³√x, √(x + 1)."""
        degree = self._optional()
        under = text_of(self._argument())
        raised = small(degree[0].text, symbols.SUPERSCRIPTS) if degree else ""
        if degree and raised is None:
            raised = f"({degree[0].text})"
        return Atom(Kind.ORDINARY, f"{raised}√{factor(under)}")

    def binomial(self) -> Atom:
        """C(n, k)."""
        return Atom(Kind.ORDINARY, f"C({text_of(self._argument())}, {text_of(self._argument())})")

    def stacked(self) -> Atom:
        r"""\overset{a}{=}: the symbol, with what stands over it raised."""
        over = self._argument()
        atoms = self._argument()
        attach(atoms, "^", over)
        return Atom(atoms[0].kind, text_of(atoms))

    def understacked(self) -> Atom:
        r"""\underset{x}{\max}: the symbol, with what stands under it lowered."""
        under = self._argument()
        atoms = self._argument()
        attach(atoms, "_", under)
        return Atom(atoms[0].kind, text_of(atoms))

    def arrow(self) -> Atom:
        r"""\xrightarrow[below]{above}."""
        below = self._optional()
        above = text_of(self._argument())
        note = ", ".join(part for part in (above, below[0].text if below else "") if part)
        return Atom(Kind.RELATION, f"—{note}→" if note else "→")

    def modulo(self) -> Atom:
        """(mod n)."""
        return Atom(Kind.CLOSING, f" (mod {text_of(self._argument())})")


_FUNCTIONS: Final = {
    "frac": _Reader.fraction,
    "dfrac": _Reader.fraction,
    "tfrac": _Reader.fraction,
    "cfrac": _Reader.fraction,
    "nicefrac": _Reader.fraction,
    "sqrt": _Reader.root,
    "binom": _Reader.binomial,
    "dbinom": _Reader.binomial,
    "tbinom": _Reader.binomial,
    "overset": _Reader.stacked,
    "stackrel": _Reader.stacked,
    "underset": _Reader.understacked,
    "xrightarrow": _Reader.arrow,
    "pmod": _Reader.modulo,
}


def _chemistry(formula: str) -> str:
    """H2O and SO4^2-, the dialect of mhchem, with small numbers."""
    formula = formula.replace("<=>", "⇌").replace("->", "→")
    formula = _COUNT.sub(lambda match: small(match[0], symbols.SUBSCRIPTS) or match[0], formula)
    return _CHARGE.sub(lambda match: small(match[1] or match[2], symbols.SUPERSCRIPTS) or match[0], formula)


def _plain_text(tokens: list[str]) -> Iterator[str]:
    """Words inside a formula: braces and the backslashes of escaped signs are left out."""
    for lexeme in tokens:
        if lexeme in {"{", "}", "$"}:
            continue
        if lexeme.startswith("\\"):
            atom = symbol(lexeme)
            yield atom.text
        else:
            yield " " if lexeme.isspace() or lexeme == "~" else lexeme
