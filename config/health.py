"""Is everything the roles need within reach?"""

import redis
import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

ANSWER_SECONDS_MAX = 2  # a probe that hangs is worse than one that says no

log = structlog.get_logger(__name__)


def health(_request: HttpRequest) -> JsonResponse:
    """200 when PostgreSQL and Redis answer, else 503; each by name, the reason only in the log."""
    parts = {"database": _database_answers(), "redis": _redis_answers()}
    well = all(parts.values())
    body = {"status": "ok" if well else "down"} | {name: "ok" if up else "down" for name, up in parts.items()}
    return JsonResponse(body, status=200 if well else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        log.warning("health.database", error=str(error).strip())
        return False
    return True


def _redis_answers() -> bool:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=ANSWER_SECONDS_MAX, socket_connect_timeout=ANSWER_SECONDS_MAX
        ) as client:
            return bool(client.ping())
    except redis.RedisError as error:
        log.warning("health.redis", error=str(error))
        return False
