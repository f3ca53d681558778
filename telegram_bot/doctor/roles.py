"""The bot, the workers and beat: is each of them alive, and does it keep up?"""

import time
from collections.abc import Iterator
from datetime import timedelta

import redis
from django.conf import settings
from django.db import DatabaseError
from django.db.models.functions import Now
from django.utils.timesince import timesince
from kombu.exceptions import OperationalError

from config.celery import beat_seen, queues_heard
from conversations import write_behind
from conversations.models import Turn
from telegram_bot.doctor.findings import Check, Finding, bad, look, well
from telegram_bot.models import Update

ALIVE = "bot-alive"  # in LOCAL, touched every ten seconds by a bot that hears Telegram
ALIVE_SECONDS_MAX = 90
WORKER_SECONDS = 2.0  # how long workers may take to say that they are there
BEAT_SECONDS_MAX = 60  # it sends something every five
LATE = timedelta(minutes=1)
QUEUE_SECONDS_MAX = 60
QUEUES = {"celery": "worker", "long": "long"}  # the queue, and the role of the Procfile that works at it


def _bot() -> Iterator[Finding]:
    try:
        late = Turn.objects.filter(state=Turn.State.RUNNING, lease_until__lt=Now() - LATE).count()
        waiting = Update.objects.filter(handled_at__isnull=True, received_at__lt=Now() - LATE).count()
        newest = Update.objects.order_by("-update_id").values_list("received_at", flat=True).first()
    except DatabaseError:
        yield look("Turns and updates were not looked at: the database could not be asked.")
        return
    heard = f"the last update came {timesince(newest, depth=1)} ago" if newest else "no update has come yet"
    if late:
        yield bad(
            f"{late} turns have lost their bot and none takes them up: start `python manage.py runbot`."
        )
    if waiting:
        yield bad(
            f"{waiting} updates wait for more than a minute: is the bot running? The log says what it does."
        )
    alive = settings.LOCAL / ALIVE
    if alive.exists():
        age = time.time() - alive.stat().st_mtime
        if age > ALIVE_SECONDS_MAX:
            yield bad(f"The bot of this machine has not heard Telegram for {age / 60:,.0f} minutes; {heard}.")
        else:
            yield well(f"The bot hears Telegram; {heard}.")
    elif not late and not waiting:
        yield look(f"No bot has run from this folder; {heard}. One in a container is not seen from here.")


def _workers() -> Iterator[Finding]:
    try:
        seen = beat_seen()  # first: it says at once when Redis is away
        heard = queues_heard(WORKER_SECONDS)
    except (redis.RedisError, OperationalError):
        yield look("Workers and beat were not looked at: Redis could not be asked.")
        return
    for queue, role in QUEUES.items():
        if heard.get(queue):
            yield well(f"{heard[queue]} worker(s) answer for the role {role}.")
        else:
            yield bad(f"No worker answers for the role {role}: start it as the Procfile says.")
    if seen is None:
        yield bad(
            "Beat has sent nothing for an hour: start `celery -A config beat`, or holds and events wait."
        )
    elif (ago := time.time() - seen) > BEAT_SECONDS_MAX:
        yield bad(f"Beat sent its last task {ago / 60:,.0f} minutes ago: start it again.")
    else:
        yield well("Beat sends its tasks.")


def _events() -> Iterator[Finding]:
    try:
        queue = write_behind.status()
    except (redis.RedisError, DatabaseError):
        yield look("Events were not looked at: the database or Redis could not be asked.")
        return
    if queue["oldest_seconds"] > QUEUE_SECONDS_MAX:
        yield bad(
            f"{queue['length']} events wait, the oldest {queue['oldest_seconds']:.0f} s: nobody writes them."
        )
    else:
        yield well(f"{queue['length']} events wait to be written, none for long.")
    if queue["dead"]:
        yield bad(
            f"{queue['dead']} events could not be written: replay or discard them in the admin, Dead events."
        )


CHECKS = (Check("The bot", _bot), Check("The workers", _workers, seconds=8), Check("The events", _events))
