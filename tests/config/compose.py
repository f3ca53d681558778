"""docker-compose.yml as a dictionary: the part of YAML that file is written in, and no more."""

import json
import re
from typing import Any

Lines = list[tuple[int, str]]  # indentation and what stands there


def parse(text: str) -> dict[str, Any]:
    lines = [
        (len(line) - len(line.lstrip()), line.strip())
        for line in text.splitlines()
        if line.strip() and not line.strip().startswith("#")
    ]
    anchors: dict[str, Any] = {}
    value = _block(lines, anchors)
    assert isinstance(value, dict)
    return value


def _block(lines: Lines, anchors: dict[str, Any]) -> Any:
    """A mapping or a list, from lines that all stand inside it."""
    if lines[0][1].startswith("- "):
        return [_scalar(text.removeprefix("- ")) for _, text in lines]
    result: dict[str, Any] = {}
    for (_, text), inner in _entries(lines):
        key, _, rest = text.partition(":")
        rest = rest.strip()
        if rest.startswith("*"):
            assert key == "<<"
            result = {**anchors[rest[1:]], **result}
        elif rest and not rest.startswith("&"):
            result[key] = _scalar(rest)
        else:
            result[key] = _block(inner, anchors) if inner else None
            if rest:
                anchors[rest[1:]] = result[key]
    return result


def _entries(lines: Lines) -> list[tuple[tuple[int, str], Lines]]:
    """Each line of the outermost indentation with the lines inside it."""
    entries: list[tuple[tuple[int, str], Lines]] = []
    for line in lines:
        if line[0] == lines[0][0]:
            entries.append((line, []))
        else:
            entries[-1][1].append(line)
    return entries


def _scalar(text: str) -> Any:
    if text.startswith(("[", '"')):
        return json.loads(text)
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    return int(text) if re.fullmatch(r"\d+", text) else {"true": True, "false": False}.get(text, text)
