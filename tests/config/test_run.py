"""`make run` as a newcomer meets it: a copy of the project, one command, and nothing left afterwards."""

import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

import psutil
import pytest

from config.place import checkout_place
from tests.config.processes import eventually, free_port, kill_all, processes_of

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS_MAX = 120

pytestmark = pytest.mark.processes


@dataclass
class Copy:
    """A copy of the project beside this one, with ports of its own."""

    folder: Path
    environment: dict[str, str]
    make: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.environment['WEB_PORT']}"

    def start(self) -> None:
        with (self.folder / "log").open("wb") as log:
            self.make = subprocess.Popen(
                ["make", "run"], cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )
        started = self.make
        eventually(lambda: "Starling is ready" in self.log or started.poll() is not None, READY_SECONDS_MAX)
        assert "Starling is ready" in self.log, self.log

    def refusal(self, **variables: str) -> str:
        """What a run that cannot start says."""
        end = subprocess.run(
            [".venv/bin/python", "-m", "config.run"],
            cwd=self.folder,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            timeout=READY_SECONDS_MAX,
        )
        assert end.returncode == 1
        return end.stderr.strip()

    def left(self) -> list[psutil.Process]:
        sockets = checkout_place(self.folder).sockets
        marker = self.environment["MARKER"]
        return [*processes_of(self.folder, marker), *processes_of(sockets)]


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    folder = tmp_path / "starling"
    unwanted = shutil.ignore_patterns(
        ".git", ".venv", ".local", ".env", "__pycache__", ".*_cache", ".hypothesis"
    )
    shutil.copytree(ROOT, folder, ignore=unwanted)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    environment = {
        name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}
    }
    environment |= {
        "WEB_PORT": str(free_port()),
        "PLAYGROUND_PORT": str(free_port()),
        "MARKER": uuid.uuid4().hex,
    }
    copy = Copy(folder, environment)
    yield copy
    kill_all(copy.left())
    if copy.make:
        copy.make.wait()
    shutil.rmtree(checkout_place(folder).sockets, ignore_errors=True)


def supervisor_of(copy: Copy) -> psutil.Process:
    assert copy.make is not None
    return next(
        child for child in psutil.Process(copy.make.pid).children() if "config.run" in child.cmdline()
    )


def test_a_newcomer_finds_the_chat_the_admin_and_a_login_that_works(copy: Copy) -> None:
    copy.start()
    chat = re.findall(r"Chat  (\S+)", copy.log)[0]
    login, password = re.findall(r"Login  (\S+) / (\S+)", copy.log)[0]
    assert "no key of a vendor: the demo model answers" in copy.log
    assert urllib.request.urlopen(chat).status == 200
    assert (
        urllib.request.urlopen(f"{copy.web}/health").read()
        == b'{"status": "ok", "database": "ok", "redis": "ok"}'
    )
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar := CookieJar()))
    browser.open(f"{copy.web}/admin/login/").read()
    form = {"username": login, "password": password, "next": "/admin/"}
    form["csrfmiddlewaretoken"] = next(cookie.value for cookie in jar if cookie.name == "csrftoken") or ""
    page = browser.open(f"{copy.web}/admin/login/", urlencode(form).encode()).read().decode()
    assert "/admin/logout/" in page
    style = re.findall(r'href="(/static/[^"]+\.css)"', page)[0]
    assert browser.open(f"{copy.web}{style}").status == 200

    assert "already runs in this checkout" in copy.refusal()


def test_nothing_is_left_however_a_run_ends_and_the_next_one_starts_with_its_data(copy: Copy) -> None:
    logins = set()
    for who, how in [("make", "SIGTERM"), ("make", "SIGKILL"), ("run", "SIGKILL"), ("run", "SIGINT")]:
        copy.start()
        logins.update(re.findall(r"Login  (.+)", copy.log))
        assert copy.make is not None
        victim = copy.make.pid if who == "make" else supervisor_of(copy).pid
        os.kill(victim, signal.Signals[how])
        copy.make.wait(READY_SECONDS_MAX)
        assert eventually(lambda: copy.left() == []), (who, how, copy.left())
    assert len(logins) == 1


def test_a_taken_port_is_refused_in_words_that_name_the_variable(copy: Copy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for name in ("WEB_PORT", "PLAYGROUND_PORT"):
            assert copy.refusal(**{name: port}) == (
                f"Starling cannot start: port {port} is taken here: set {name} to a free one."
            )


def test_a_database_that_does_not_answer_is_named(copy: Copy) -> None:
    said = copy.refusal(DATABASE_URL=f"postgres://u:hunter2@127.0.0.1:{free_port()}/x")
    assert said.startswith("Starling cannot start: PostgreSQL at DATABASE_URL does not answer:")
    assert "hunter2" not in said
    assert "Traceback" not in said
