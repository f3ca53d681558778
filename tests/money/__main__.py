"""`make money`: the table, from real processes with kills. Not zero where it must be zero: exit code 1."""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from config.local import Postgres, end_on_sigterm, throw_away


def main() -> int:
    parser = argparse.ArgumentParser(prog="make money", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer kills, shorter measures")
    quick = parser.parse_args().quick
    end_on_sigterm()
    with throw_away(want_postgres=False) as place, tempfile.TemporaryDirectory() as folder:
        server = Postgres(place, durable=False)
        server.start()
        try:
            os.environ |= {
                "DATABASE_URL": place.database_url(),
                "REDIS_URL": place.redis_url(),
                "ENV_FILE": os.devnull,
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "LOG_LEVEL": "ERROR",
            }
            return run(server, Path(folder), quick)
        finally:
            server.stop()


def run(server: Postgres, folder: Path, quick: bool) -> int:
    """Every part on one database, and the books of all of it at the end."""
    # The settings are read when Django is set up, and they stand only now.
    import django  # noqa: PLC0415

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    from billing.price_sync import sync_prices  # noqa: PLC0415
    from config.aio import close_threads  # noqa: PLC0415
    from tests.money import people, workers  # noqa: PLC0415
    from tests.money.table import Table  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    sync_prices()
    table = Table()
    workers.overdrafts(table)
    workers.throughput(table, 3.0 if quick else 10.0)
    workers.killed_load(table, server, 4 if quick else 20)
    asyncio.run(people.killed_bot(table, folder, 5 if quick else 20))
    asyncio.run(people.checkouts(table, folder))
    workers.books_agree(table)
    close_threads()
    print(f"\n{table.markdown()}\n\nkept in {table.keep()}")
    if table.wrong:
        print(f"\nWRONG: {'; '.join(table.wrong)}", file=sys.stderr)
    return int(bool(table.wrong))


if __name__ == "__main__":
    sys.exit(main())
