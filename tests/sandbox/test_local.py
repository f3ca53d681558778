# ruff: noqa: E501  programs in a line each
"""The local sandbox holds (S15): every attack is real code, run as a model's would be."""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.faults.report import publish
from tools.sandbox import _folders
from tools.sandbox.contract import Input, Outcome
from tools.sandbox.local import Local, confinement

WHY, MODULES_HERE = confinement()
pytestmark = pytest.mark.skipif(bool(WHY), reason=f"no sandbox on this machine: {WHY}")

THREAD, OTHER = 990_001, 990_002


@pytest.fixture(autouse=True)
def _empty_folders():
    _clear()
    yield
    _clear()


def _clear() -> None:
    for thread in (THREAD, OTHER):
        shutil.rmtree(_folders.home() / str(thread), ignore_errors=True)


async def run(
    code: str,
    *,
    thread: int = THREAD,
    seconds: float = 8,
    inputs: tuple[Input, ...] = (),
    lines: list[str] | None = None,
) -> Outcome:
    tell = (lines if lines is not None else []).append
    return await Local().run(thread, code, inputs=inputs, packages=[], seconds=seconds, tell=tell)


CONNECT = """
import socket
for kind, address in {addresses}:
    try:
        s = socket.socket(kind)
        s.settimeout(1)
        s.connect(address)
        print("REACHED", address)
    except OSError as error:
        print("refused", address, type(error).__name__)
"""


@dataclass(frozen=True)
class Attack:
    name: str
    code: str
    endings: tuple[str, ...]
    never: str = "REACHED"  # words that would say it came through
    seconds: float = 8


def attacks() -> list[Attack]:
    redis = os.environ["REDIS_URL"].removeprefix("unix://").partition("?")[0]
    sockets = [redis] if redis.startswith("/") else []
    unix = [("U", path) for path in (*sockets, "/run/postgresql/.s.PGSQL.5432", "/var/run/docker.sock")]
    inet = [
        ("I", address)
        for address in (("169.254.169.254", 80), ("192.168.0.1", 80), ("127.0.0.1", 6379), ("1.1.1.1", 53))
    ]
    words = repr([*inet, *unix]).replace("('U',", "(socket.AF_UNIX,").replace("('I',", "(socket.AF_INET,")
    return [
        Attack("metadata, LAN, Redis, PostgreSQL, Docker", CONNECT.replace("{addresses}", words), ("done",)),
        Attack("DNS", "import socket\nprint(socket.gethostbyname('example.org'), 'REACHED')", ("failed",)),
        Attack(
            "our environment, our files",
            "import os\nprint([k for k in os.environ if any(w in k for w in ('KEY','TOKEN','URL','SECRET','DJANGO'))] and 'REACHED')\n"
            "for p in ('/etc/shadow','/root','/home','/work','/var','/proc/1/environ','"
            + str(Path.cwd())
            + "'):\n"
            "    try: print('REACHED' if (os.listdir(p) if os.path.isdir(p) else [w for w in open(p).read().split(chr(0)) if 'KEY' in w or 'URL' in w]) else 'nothing')\n"
            "    except OSError as e: print(type(e).__name__)",
            ("done",),
        ),
        Attack("the system written to", "open('/usr/bin/x', 'w'); print('REACHED')", ("failed",)),
        Attack(
            "fork bomb",
            "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
            ("time", "processes"),
            seconds=2,
        ),
        Attack(
            "a process that hogs memory", "x = b'x' * (3 * 1024**3); print('REACHED')", ("failed", "memory")
        ),
        Attack(
            "many that do together",
            "import os, time\nfor _ in range(9):\n    if os.fork() == 0: break\n"
            "x = bytearray(b'x') * (250 * 1024**2)\ntime.sleep(30); print('REACHED')",
            ("memory", "failed"),
        ),
        Attack(
            "a file of 10 GB",
            "f = open('big', 'wb')\nfor _ in range(10240): f.write(bytes(1024**2))\nprint('REACHED')",
            ("failed", "disk"),
        ),
        Attack(
            "files until the disk is full",
            "n = 0\nwhile True:\n    n += 1\n    open(f'f{n}', 'wb').write(bytes(50 * 1024**2))",
            ("disk",),
        ),
        Attack(
            "/tmp and /dev/shm filled",
            "import os\nfor p in ('/tmp', '/dev/shm'):\n    for n in range(9):\n        try: open(f'{p}/{n}', 'wb').write(bytes(50 * 1024**2))\n        except OSError as e: print(p, e)\n    print('REACHED' if n * 0 + sum(os.path.getsize(f'{p}/{k}') for k in range(9) if os.path.exists(f'{p}/{k}')) > 70e6 else 'held')",
            ("done",),
        ),
        Attack("an endless loop", "while True: pass", ("time",), seconds=1),
        Attack(
            "another namespace",
            "import ctypes\nprint('REACHED' if ctypes.CDLL(None).unshare(0x10000000) == 0 else 'refused')",
            ("done",),
        ),
        Attack(
            "signals to everybody",
            "import os, signal\nfor p in range(2, 400):\n    try: os.kill(p, 0) or (p != os.getpid() and p != os.getppid() and print('SEEN', p))\n    except OSError: pass\nprint(len([d for d in os.listdir('/proc') if d.isdigit()]) < 6 or 'REACHED')",
            ("done",),
        ),
    ]


async def test_what_hostile_code_tries_is_contained(capsys):
    rows = []
    for attack in attacks():
        began = time.monotonic()
        outcome = await run(attack.code, seconds=attack.seconds)
        rows.append(
            {
                "attack": attack.name,
                "ended by": outcome.ending,
                "came through": int(attack.never in outcome.stdout),
                "left behind": sum(child.name() == "bwrap" for child in psutil.Process().children()),
                "s": round(time.monotonic() - began, 2),
            }
        )
        assert attack.never not in outcome.stdout, (attack.name, outcome)
        assert outcome.ending in attack.endings, (attack.name, outcome)
    publish(capsys, "sandbox-attacks", "S15: hostile code in the local sandbox", rows)


async def test_the_folder_is_emptied_of_what_overfilled_it_and_works_again():
    outcome = await run("n = 0\nwhile True:\n    n += 1\n    open(f'f{n}', 'wb').write(bytes(50 * 1024**2))")
    assert (outcome.ending, outcome.files) == ("disk", ())
    assert (await run("import os; print(os.listdir('.'))")).stdout == "[]\n"


async def test_inputs_cannot_be_changed():
    outcome = await run("open('/tmp/inputs/x', 'w')", inputs=(Input("a.csv", b"7"),))
    assert "Read-only file system" in outcome.stderr


@pytest.mark.skipif("matplotlib" not in MODULES_HERE, reason="the sandbox finds no matplotlib here")
async def test_a_figure_that_is_shown_is_a_picture_for_the_person():
    outcome = await run(
        "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.show()\nplt.plot([1])\nplt.show()"
    )
    assert [file.name for file in outcome.files] == ["figure-1.png", "figure-2.png"], outcome.stderr
    assert all(file.content.startswith(b"\x89PNG") for file in outcome.files)


async def test_what_draws_figures_lies_beside_the_code_and_cannot_be_changed():
    outcome = await run(
        "import os\nfor name in sorted(os.listdir('/tmp/code')): print(name, os.access('/tmp/code/' + name, os.W_OK))"
    )
    assert outcome.stdout.split("\n")[:2] == ["main.py False", f"{_folders.BACKEND}.py False"]
