"""`make run`: everything Starling needs, on this machine, with one command and one log."""

import contextlib
import os
import secrets
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import OperationalError
from honcho.environ import parse_procfile

from config.local import Postgres, Redis, only_one
from config.place import CHECKOUT, checkout_place, keep_private
from config.programs import CannotStart
from config.start import set_up
from config.supervisor import Supervisor, end_on_signals

STAFF = "staff"
PASSWORD_BYTES = 12


def main() -> None:
    end_on_signals()
    set_up()
    place = checkout_place()
    try:
        with only_one(place, "run"):
            ports = _free_ports()
            with _servers() as servers:
                _say("Preparing the database …")
                call_command("migrate", verbosity=0, interactive=False)
                block = _where_to_look(_staff_login(place.data / "staff.txt"))
                Supervisor(_roles(), _environment(), servers).run(_once_open(ports, block))
    except CannotStart as error:
        sys.exit(f"Starling cannot start: {error}")
    except OperationalError as error:
        reason = " ".join(str(error).split())
        sys.exit(f"Starling cannot start: PostgreSQL at DATABASE_URL does not answer: {reason}")


def _free_ports() -> list[int]:
    wanted = {"WEB_PORT": settings.WEB_PORT}
    if settings.PLAYGROUND:
        wanted["PLAYGROUND_PORT"] = settings.PLAYGROUND_PORT
    if len(set(wanted.values())) < len(wanted):
        raise CannotStart("WEB_PORT and PLAYGROUND_PORT are the same: set one of them to another port.")
    for name, port in wanted.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise CannotStart(f"port {port} is taken here: set {name} to a free one.") from error
    return list(wanted.values())


@contextlib.contextmanager
def _servers() -> Iterator[Sequence[Postgres | Redis]]:
    """The embedded servers that are needed, in the order in which the last is stopped first."""
    place = checkout_place()
    wanted: list[Postgres | Redis] = []
    wanted += [Postgres(place)] if settings.EMBEDDED_POSTGRES else []
    wanted += [Redis(place)] if settings.EMBEDDED_REDIS else []
    with contextlib.ExitStack() as stack:
        for server in wanted:
            _say(f"Starting {server.name} …")
            stack.callback(server.stop)
            server.start()
        yield wanted


def _staff_login(path: Path) -> str:
    """A superuser of this machine, made once; its password is kept beside the data."""
    password = keep_private(path, secrets.token_urlsafe(PASSWORD_BYTES))
    people = get_user_model()._default_manager
    staff = people.filter(**{people.model.USERNAME_FIELD: STAFF}).first()
    if staff is None:
        people.create_superuser(STAFF, password=password)
    elif not staff.check_password(password):
        if not settings.EMBEDDED_POSTGRES:
            return f"{STAFF}, with the password it has in that database"
        staff.set_password(password)
        staff.save()
    return f"{STAFF} / {password}"


def _where_to_look(login: str) -> str:
    chat = f"http://127.0.0.1:{settings.PLAYGROUND_PORT}/" if settings.PLAYGROUND else "your bot on Telegram"
    model = settings.DEFAULT_MODEL
    if model == "demo":
        model = "no key of a vendor: the demo model answers (set ANTHROPIC_API_KEY, OPENAI_API_KEY or GEMINI_API_KEY)"
    rows = {
        "Chat": chat,
        "Admin": f"http://127.0.0.1:{settings.WEB_PORT}/admin/",
        "Login": login,
        "Model": model,
        "Stop": "Ctrl-C",
    }
    lines = [f"{name:>7}  {value}" for name, value in rows.items()]
    rule = "─" * max(len(line) for line in lines)
    return "\n".join(["", rule, "Starling is ready", *lines, rule, ""])


def _roles() -> dict[str, str]:
    roles: dict[str, str] = dict(parse_procfile((CHECKOUT / "Procfile").read_text()).processes)
    if not settings.PLAYGROUND:
        del roles["playground"]
    return roles


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
        "WEB_HOST": settings.WEB_HOST,
        "WEB_PORT": str(settings.WEB_PORT),
        "PLAYGROUND_PORT": str(settings.PLAYGROUND_PORT),
    }


def _once_open(ports: Sequence[int], block: str) -> Callable[[], bool]:
    """What prints the block as soon as every port answers, and then says that it is done."""

    def look() -> bool:
        for port in ports:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                return False
        _say(block)
        return True

    return look


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
