"""Does a vendor count anything that no price of ours pays for? No MODELS here, so no provider.

Our charges are made of the counts a vendor reports. One that we do not know (a new kind of token, a dearer tier, a
tool that is billed by its runs) would be asked of us and charged to nobody: the log tells staff, once a process.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import structlog

log = structlog.get_logger(__name__)


def look_for_unpriced(model_id: str, report: Mapping[str, Any], priced: frozenset[str]) -> None:
    """Raise an alarm for each count above zero, and each word, of a usage report that `priced` does not name.

    A count is named by its path (`server_tool_use.web_search_requests`), a word by its value besides
    (`service_tier=standard`).
    """
    for name in _named(report):
        if name not in priced:
            _tell(model_id, name)


def _named(report: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for name, value in report.items():
        match value:
            case bool() | None:
                continue
            case int() if value > 0:
                yield f"{before}{name}"
            case str() if value:
                yield f"{before}{name}={value}"
            case dict():
                yield from _named(value, f"{before}{name}.")


@functools.cache
def _tell(model_id: str, name: str) -> None:
    log.error("usage_unpriced", model=model_id, what=name)
