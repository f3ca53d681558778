"""System checks of the frame: what would lose data if it were left as it is."""

from collections.abc import Sequence
from typing import Any

import redis
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register


@register(Tags.caches, deploy=True)
def redis_keeps_what_has_no_ttl(**_options: Any) -> Sequence[CheckMessage]:
    """The event stream waits in Redis without a TTL, so Redis may evict only keys that have one."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            policy = str(client.info("memory").get("maxmemory_policy", ""))
    except redis.RedisError as error:
        return [Warning(f"Redis cannot be asked for its eviction policy: {error}.", id="starling.W001")]
    if not policy.startswith("allkeys"):
        return []
    return [
        Error(
            f"Redis at REDIS_URL has maxmemory-policy {policy}: it would throw away events not yet written.",
            hint="Set maxmemory-policy to volatile-lru.",
            id="starling.E001",
        )
    ]
