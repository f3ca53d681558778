"""`make money`: the table, from real processes with kills. Not zero where it must be zero: exit code 1."""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from config.local import Postgres, end_on_sigterm, throw_away

PARTS = ("overdrafts", "throughput", "load", "bot", "checkouts")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make money", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer kills, shorter measures")
    parser.add_argument(
        "--only", choices=PARTS, action="append", help="these parts, not all; may be repeated"
    )
    given = parser.parse_args()
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
            return run(server, Path(folder), given.quick, given.only or PARTS)
        finally:
            server.stop()


def run(server: Postgres, folder: Path, quick: bool, parts: Sequence[str]) -> int:
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
    if "overdrafts" in parts:
        workers.overdrafts(table)
    if "throughput" in parts:
        workers.throughput(table, 3.0 if quick else 10.0)
    if "load" in parts:
        workers.killed_load(table, server, 4 if quick else 20)
    if "bot" in parts:
        asyncio.run(people.killed_bot(table, folder, 5 if quick else 20))
    if "checkouts" in parts:
        asyncio.run(people.checkouts(table, folder))
    workers.books_agree(table)
    close_threads()
    print(f"\n{table.markdown()}\n\nkept in {table.keep()}")
    if table.wrong:
        print(f"\nWRONG: {'; '.join(table.wrong)}", file=sys.stderr)
    return int(bool(table.wrong))


if __name__ == "__main__":
    sys.exit(main())
