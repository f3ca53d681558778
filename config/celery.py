"""The Celery app; its settings are the CELERY_… names of config/settings.py, the beat schedule among them."""

import contextlib
import functools
import time
from collections import Counter

import redis
from celery import Celery
from celery.signals import after_task_publish, beat_init, setup_logging
from django.conf import settings

from config.start import one_sentence

BEAT_KEY = "beat:seen"
BEAT_KEPT_SECONDS = 3600

with one_sentence():
    # Celery would read them later, inside a traceback of its own.
    settings.DATABASES  # noqa: B018

app = Celery("starling")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def keep_our_logging(**_signal: object) -> None:
    """Django has set the log up already: without a receiver here Celery would replace it."""


setup_logging.connect(keep_our_logging, weak=False)


# Who is alive -------------------------------------------------------------------------------------


def queues_heard(seconds: float) -> Counter[str]:
    """How many workers say within so many seconds that they work at each queue. Raises kombu's OperationalError."""
    answers = app.control.inspect(timeout=seconds).active_queues() or {}
    return Counter(queue["name"] for queues in answers.values() for queue in queues)


def beat_seen() -> float | None:
    """When beat last sent a task (Unix time); None when it did not in the last hour. Raises RedisError."""
    seen = _redis().get(BEAT_KEY)
    return float(seen) if seen else None


def show_that_beat_is_alive(**_signal: object) -> None:
    """Beat's own sign of life: it leaves no other that can be seen from another machine."""
    with contextlib.suppress(redis.RedisError):
        _redis().set(BEAT_KEY, time.time(), ex=BEAT_KEPT_SECONDS)


def listen_to_beat(**_signal: object) -> None:
    """In the process of beat, and in no other, a task that was sent is a sign of life."""
    after_task_publish.connect(show_that_beat_is_alive, weak=False)


@functools.cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


beat_init.connect(listen_to_beat, weak=False)
