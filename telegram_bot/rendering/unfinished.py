"""An answer that is still being written, ended where it stands so that it reads well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from telegram_bot.rendering.syntax_details import folds

# Quantifiers are possessive, so that no line of ten thousand blanks or markers is tried in more than one way.
_BLANK_LINES: Final = re.compile(r"\n(?:[ \t]*+\n)++")
# What can only begin a block of its own: neither indented nor an item of a list under way.
_NEW_BLOCK: Final = re.compile(r"[^\s\d*+-]|[*+-](?![ \t\n])|\d++(?![.)])")
_BLANK_LINE: Final = re.compile(r"\n[ \t>]*\n")
_QUOTE: Final = r"[ \t>]*+"
_FENCE: Final = re.compile(
    rf"^{_QUOTE}(?:(?:[-+*]|\d++[.)])[ \t]++)*+(?P<marks>`{{3,}}|~{{3,}})(?P<rest>[^\n]*)$", re.MULTILINE
)
_MARKS: Final = re.compile(r"`{3,}|~{3,}")
# A last line that is nothing yet: a bullet, a number, hashes, an underline, part of a fence, an empty box.
_BARE_MARKER: Final = re.compile(
    rf"{_QUOTE}(?:(?:[-+*]|\d{{1,9}}[.)])[ \t]++)*+"
    r"(?:[-+*]|\d{1,9}[.)]|\#{1,6}|[-=_*]+|`{1,2}|~{1,2}|`{3,}[^`\n]*|~{3,}[^\n]*"
    r"|\||!?\[[ xX]?\]?)?[ \t]*"
)
_DELIMITER_ROW: Final = re.compile(rf"{_QUOTE}\|?[ \t]*:?-[ \t:|-]*")
_BLOCK_START: Final = re.compile(
    rf"^(?:[ \t]*+>|{_QUOTE}(?:[-+*][ \t]|\d{{1,9}}[.)][ \t]|\#{{1,6}}[ \t]|\|))", re.MULTILINE
)
_ENVIRONMENT: Final = re.compile(r"\\begin\{([a-zA-Z]+\*?)\}")
# The tags of details, of which only the beginning is there.
_HALF_FOLD: Final = re.compile(
    r"(?:</?(?:d(?:e(?:t(?:a(?:i(?:ls?)?)?)?)?)?|s(?:u(?:m(?:m(?:a(?:ry?)?)?)?)?)?)?)$"
)
_HALF_COMMAND: Final = re.compile(r"\\[a-zA-Z]*$")
_TOKEN: Final = re.compile(r"\\.?|`+|\$\$?|\*+|_+|~+|!?\[", re.DOTALL)
_MATH: Final = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}


def finish(source: str) -> str:
    """The source with what is open closed, and half-written marks at its end left out."""
    fence = open_fence(source)
    if fence is not None:
        marks = fence.strip(" \t>")[0]
        line = source.rfind("\n") + 1
        if source[line:].strip() and not source[line:].strip(f" \t>{marks}"):
            source = source[:line]
        return unfolded(f"{source}\n{_MARKS.findall(fence)[0]}") if open_folds(source) else source
    if any(closed == len(source) for _, closed in _code_blocks(source)):
        return unfolded(source)  # its last line closes a block of code
    source = _without_bare_marker(_HALF_FOLD.sub("", source))
    start = _last_block(source)
    return unfolded(source[:start] + _closed(source[start:]))


def unfolded(source: str) -> str:
    """The source with details that are still being written closed."""
    left_open = len(open_folds(source))
    if not left_open:
        return source
    last = source[source.rfind("\n") + 1 :].lower()
    summary = "</summary>" if "<summary>" in last and "</summary" not in last else ""
    return source + summary + "\n\n</details>" * left_open


def open_folds(source: str) -> list[int]:
    """The lines of the details that are still being written."""
    return folds(source)[1] if "<details" in source.lower() else []


def open_fence(source: str) -> str | None:
    """The opening line of the code block the source ends in, info string included; None outside of code."""
    opened = None
    for opened, closed in _code_blocks(source):
        if closed:
            opened = None
    return opened[0] if opened else None


def chunks(source: str) -> list[str]:
    """The source in pieces that can be read one by one: a paragraph, a whole list, a whole block of code."""
    code = [(opened.start(), closed or len(source)) for opened, closed in _code_blocks(source)]
    if "<details" in source.lower():
        code = _merged([*code, *_fold_stretches(source)])
    pieces = []
    start = passed = 0
    for border in _BLANK_LINES.finditer(source):
        if not _NEW_BLOCK.match(source, border.end()):
            continue
        while passed < len(code) and code[passed][1] <= border.start():
            passed += 1
        if passed == len(code) or border.end() <= code[passed][0]:
            pieces.append(source[start : border.start()])
            start = border.end()
    return [*pieces, source[start:]]


def _fold_stretches(source: str) -> Iterator[tuple[int, int]]:
    """Where details begin and end; those that are still open reach to the end."""
    lines = [0]
    for line in source.split("\n"):
        lines.append(lines[-1] + len(line) + 1)
    closed, still_open = folds(source)
    yield from ((lines[first], lines[last + 1] - 1) for first, last in closed.items())
    yield from ((lines[first], len(source)) for first in still_open)


def _merged(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches in their order, those that overlap as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _code_blocks(source: str) -> Iterator[tuple[re.Match[str], int]]:
    """The opening line of every fenced block and where its closing line ends; 0 if it is still open."""
    opened: re.Match[str] | None = None
    for match in _FENCE.finditer(source):
        if opened is None:
            # A line still being written is not counted: its info string may go on.
            if match.end() < len(source) and not (match["marks"][0] == "`" and "`" in match["rest"]):
                opened = match
        elif match["marks"].startswith(opened["marks"]) and not match["rest"].strip():
            yield opened, match.end()
            opened = None
    if opened is not None:
        yield opened, 0


def _without_bare_marker(source: str) -> str:
    line = source.rfind("\n") + 1
    last = source[line:]
    if _BARE_MARKER.fullmatch(last):
        return source[:line]
    if _DELIMITER_ROW.fullmatch(last) and "|" in source[source.rfind("\n", 0, line - 1) + 1 : line]:
        return source[:line]
    return source


def _last_block(source: str) -> int:
    """Where the paragraph, item or row the source ends with begins."""
    start = 0
    for match in _BLANK_LINE.finditer(source.rstrip()):
        start = match.end()
    for match in _BLOCK_START.finditer(source, start):
        start = match.start()
    return start


class _Open:
    """The emphasis that is open, outermost first."""

    def __init__(self) -> None:
        self._runs: list[list[str]] = []

    def run(self, marks: str, before: str, after: str) -> bool:
        """Take a run of marks; returns whether it means anything where it stands."""
        left = marks
        if before and not before.isspace():
            while left and self._runs and self._runs[-1][0][0] == left[0]:
                taken = min(len(left), len(self._runs[-1][0]))
                left = left[taken:]
                self._runs[-1][0] = self._runs[-1][0][taken:]
                if not self._runs[-1][0]:
                    self._runs.pop()
        if not left:
            return True
        if after and not after.isspace() and not (left[0] == "_" and before.isalnum()):
            self._runs.append([left])
            return True
        return left != marks

    def closers(self) -> str:
        """The marks that close everything."""
        return "".join(run for (run,) in reversed(self._runs))


def _closed(block: str) -> str:
    """The block with its open code, formula, emphasis and link closed."""
    opened = _Open()
    position = 0
    while (match := _TOKEN.search(block, position)) is not None:
        lexeme, start, position = match[0], match.start(), match.end()
        last = position == len(block)
        if lexeme[0] == "`":
            end = _matching(block, lexeme, position)
            if end is None:
                return _with_closer(block[:start], lexeme, block[position:].rstrip("`"), opened)
            position = end
        elif lexeme in _MATH or (lexeme == "\\b" and _ENVIRONMENT.match(block, start)):
            closer, body = _formula(block, lexeme, start)
            end = block.find(closer, body)
            if end < 0:
                content = _HALF_COMMAND.sub("", block[body:]).rstrip("$")
                return _with_closer(block[:start], block[start:body], content, opened, closer)
            position = end + len(closer)
        elif lexeme[0] in "*_~" and not (lexeme == "~" and not last):
            meaningful = opened.run(lexeme, block[start - 1 : start], block[position : position + 1])
            if last and not meaningful:
                block = block[:start]
        elif lexeme.endswith("["):
            block = _link(block, start, position)
            position = start if not block.startswith(lexeme, start) else position
        elif lexeme == "\\":
            block = block[:start]
    text = block.rstrip()
    return text + opened.closers() + block[len(text) :]


def _with_closer(before: str, opener: str, content: str, opened: _Open, closer: str = "") -> str:
    text = f"{before}{opener}{content.rstrip()}{closer or opener}" if content.strip() else before.rstrip()
    return text + opened.closers()


def _formula(block: str, lexeme: str, start: int) -> tuple[str, int]:
    """What closes the formula that starts here, and where its content begins."""
    environment = _ENVIRONMENT.match(block, start)
    if environment is not None:
        return f"\\end{{{environment[1]}}}", environment.end()
    return _MATH[lexeme], start + len(lexeme)


def _matching(block: str, marks: str, position: int) -> int | None:
    """The end of the run of backticks that closes this one."""
    for match in re.compile("`+").finditer(block, position):
        if match[0] == marks:
            return match.end()
    return None


def _link(block: str, start: int, position: int) -> str:
    """The block with a link that is not written out yet reduced to its text."""
    end = block.find("]", position)
    if end < 0:
        return block[:start] + block[position:]
    if block.startswith("(", end + 1) and block.find(")", end) < 0:
        return block[:start] + block[position:end]
    return block
