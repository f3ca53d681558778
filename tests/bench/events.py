"""Events through the write-behind beside an INSERT for each, on servers whose disks are synced as in production."""

import json
import os
import subprocess
import sys

from config.local import Postgres, Redis, throw_away
from tests.bench.bots import ROOT


def measure(count: int) -> dict[str, dict[str, float]]:
    """The figures of both ways, by name."""
    with throw_away(want_postgres=False, want_redis=False) as place:
        postgres, redis = Postgres(place), Redis(place)
        try:
            postgres.start()
            redis.start()
            environment = {
                **os.environ,
                "DATABASE_URL": place.database_url(),
                "REDIS_URL": place.redis_url(),
                "DJANGO_SETTINGS_MODULE": "config.settings",
            }
            subprocess.run(
                [sys.executable, "manage.py", "migrate", "-v", "0"], cwd=ROOT, env=environment, check=True
            )
            command = [sys.executable, "-m", "tests.bench.event_rates", str(count)]
            ran = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE)
        finally:
            redis.stop()
            postgres.stop()
    figures: dict[str, dict[str, float]] = json.loads(ran.stdout)
    return figures
