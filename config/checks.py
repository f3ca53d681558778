"""System checks of the frame: what would lose something if it were left as it is."""

from collections.abc import Sequence
from typing import Any

import redis
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

ANSWER_SECONDS_MAX = 2


@register(Tags.caches)
def redis_keeps_what_has_no_ttl(**_options: Any) -> Sequence[CheckMessage]:
    """The event stream waits in Redis without a TTL, so Redis may evict only keys that have one.

    Every command and the worker ask this at their start. A Redis that is away is no reason to refuse:
    the roles wait for it.
    """
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=ANSWER_SECONDS_MAX) as client:
            policy = str(client.info("memory").get("maxmemory_policy", ""))
    except redis.RedisError:
        return []
    if not policy.startswith("allkeys"):
        return []
    return [
        Error(
            f"Redis at REDIS_URL has maxmemory-policy {policy}: it would throw away events not yet written.",
            hint="Set maxmemory-policy to volatile-lru.",
            id="starling.E001",
        )
    ]
