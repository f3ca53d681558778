"""What is in a person's file, found out in a process of its own (config.apart).

It costs about 100 ms of a core, while the person's burst is still waited for.
"""

import structlog

from config import apart
from conversations.reading.findings import Findings, loaded

log = structlog.get_logger(__name__)


async def read(content: bytes, *, name: str, declared: str) -> Findings:
    """What is in these bytes. Never raises for what they hold."""
    if not content:
        return Findings(fault="empty")
    answer = await apart.ask("conversations.reading.child", content, name=name, declared=declared)
    try:
        return loaded(answer)
    except (ValueError, TypeError, KeyError):  # ended by its limits, or broken by them in mid-word
        log.info("file.too_much", size=len(content))
        return Findings(fault="too_much")
