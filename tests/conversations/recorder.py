"""A process that records events as the bot does: `python -m tests.conversations.recorder USER_ID`.

Told "go" it records, one in BAD_EVERY of them bad, and prints each as a line of JSON once `record` has returned; told
"rest" it records no more. All the while it asks for flushes as beat does.
"""

import itertools
import json
import sys
import threading
import time

import django

django.setup()

import redis  # noqa: E402  needs the settings

from conversations import event_redis, tasks, write_behind  # noqa: E402  needs the apps
from conversations.events import Event  # noqa: E402
from tests.conversations.calls import POISON, payload  # noqa: E402

EVENT_EVERY_SECONDS = 0.02
BAD_EVERY = 40
FLUSH_EVERY_SECONDS = 0.3  # beat asks every five seconds: asked more often, more kills meet a flush


def record(user_id: int, number: int, bad: str) -> None:
    body = payload(user_id, number) | POISON.get(bad, {})
    named = body["call_id"]
    if bad == "no JSON":
        event = Event("tool_call", body)
        named = str(event.id)  # nobody will be able to read more of it
        try:
            event_redis.queue().xadd(event_redis.STREAM, event.encode() | {"payload": "{"})
        except redis.RedisError:
            return  # perhaps it is there, perhaps not: nobody is promised anything
    else:
        write_behind.record("tool_call", body)
    print(json.dumps({"call": named, "bad": bool(bad)}), flush=True)


def main(user_id: int) -> None:
    going = threading.Event()

    def listen() -> None:
        for line in sys.stdin:
            (going.set if line.strip() == "go" else going.clear)()

    threading.Thread(target=listen, daemon=True).start()
    kinds, flush_at = itertools.cycle([*POISON, "no JSON"]), 0.0
    for number in itertools.count():
        if going.is_set():
            record(user_id, number, next(kinds) if number % BAD_EVERY == BAD_EVERY - 1 else "")
        else:
            write_behind.keep_up()
        if time.monotonic() > flush_at:
            tasks.flush_soon()
            flush_at = time.monotonic() + FLUSH_EVERY_SECONDS
        time.sleep(EVENT_EVERY_SECONDS)


if __name__ == "__main__":
    main(int(sys.argv[1]))
