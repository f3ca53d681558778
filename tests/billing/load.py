"""Turns paid for as fast as possible, until told to stop; prints each charge that was acknowledged.

Run by START in a process of its own. A lost server is waited for and the same call made again, as the
bot would; so a charge may be asked for twice, and the printed line says it was promised.
"""

import os
import sys
import threading
import time
from datetime import timedelta
from decimal import Decimal

from django.db import InterfaceError, OperationalError, connection

from accounts.models import User
from billing import ledger

START = "import django; django.setup(); from tests.billing import load; load.main()"
CLIENTS = 24
PEOPLE = 6
NAME = os.environ.get("LOAD_NAME", "")  # in the keys, where several loads share a database
MINUTES = timedelta(minutes=5)


def main() -> None:
    stop = threading.Event()
    people = [User.objects.create().pk for _ in range(PEOPLE)]
    for person in people:
        ledger.credit(person, key=f"pay:{person}", amount=Decimal(1000), kind="top_up")

    def insist(verb, *args, **kwargs) -> None:
        while True:
            try:
                verb(*args, **kwargs)
                return
            except (OperationalError, InterfaceError):
                connection.close()
                time.sleep(0.05)

    def pay(client: int) -> None:
        person, number = people[client % PEOPLE], 0
        while not stop.is_set():
            number += 1
            turn = f"turn:{NAME}{client}:{number}"
            insist(ledger.hold, person, key=turn, estimate=Decimal("0.01"), expires_in=MINUTES)
            insist(ledger.settle, turn, key=f"{turn}:step:0", amount=Decimal("0.001"), details={})
            sys.stdout.write(f"{turn}:step:0\n")
            sys.stdout.flush()
            insist(ledger.release, turn)
        connection.close()

    clients = [threading.Thread(target=pay, args=(client,)) for client in range(CLIENTS)]
    for client in clients:
        client.start()
    sys.stdin.readline()
    stop.set()
    for client in clients:
        client.join()
