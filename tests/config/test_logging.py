"""The log: one line per event, in one form, and nobody's secret in any line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.logging import MASK, redactor

ROOT = Path(__file__).resolve().parents[2]
BOT_TOKEN = "7700112233:AAcanary-token_0123456789abcdefghij"
CANARIES = {
    "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
    "ANTHROPIC_API_KEY": 'canary "anthropic"\\key é',
    "OPENAI_API_KEY": "canary-key-of-a-server-of-ones-own",
    "GEMINI_API_KEY": "canary-gemini-key",
    "E2B_API_KEY": "canary-e2b-key",
    "SECRET_KEY": "canary-django-key-that-is-long-enough",
    "DATABASE_URL": "postgres://starling:canary%2Fpg@127.0.0.1:1/starling",
    "REDIS_URL": "redis://:canary-redis@127.0.0.1:1/0",
}
# Logs and raises every secret in every way a library might, then ends in an uncaught exception.
SCRIPT = """
import logging, os, threading, urllib.parse
from config.start import set_up
set_up()
import structlog
from django.conf import settings
secrets = [
    settings.TELEGRAM_BOT_TOKEN, settings.ANTHROPIC_API_KEY, settings.OPENAI_API_KEY,
    settings.GEMINI_API_KEY, settings.E2B_API_KEY, settings.SECRET_KEY,
    settings.DATABASE_URL, settings.REDIS_URL,
    "sk-ant-api03-canary_canary_canary", "sk-proj-canarycanarycanary", "AIza" + "canary" * 6, "e2b_" + "ca" * 20,
]
log = structlog.get_logger("test")
logging.getLogger("library").error("POST https://api.telegram.org/bot%s/getMe", settings.TELEGRAM_BOT_TOKEN)
for secret in secrets:
    log.info("ours", value=secret, nested={"deep": [secret]}, raw=secret.encode())
    log.info("in words: " + secret)
    logging.getLogger("library").warning("POST https://example.org/%s/call", secret)
    logging.getLogger("library").warning("extra", extra={"token": secret})
    logging.getLogger("library").warning(urllib.parse.quote(secret, safe=""))
    try:
        raise RuntimeError(f"refused: {secret}") from ValueError(secret)
    except RuntimeError:
        log.exception("caught")
        logging.getLogger("library").exception("caught there")
    def fail():
        raise OSError(secret)
    thread = threading.Thread(target=fail); thread.start(); thread.join()
raise LookupError(" ".join(secrets))
"""


@pytest.mark.parametrize("form", ["console", "json"])
def test_no_secret_reaches_the_log_in_any_way(form: str) -> None:
    end = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={**os.environ, **CANARIES, "LOG_FORMAT": form},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert end.returncode == 1
    assert end.stderr.count(MASK) > 50, "the events themselves must be there"
    assert "uncaught" in end.stderr
    assert "canary" not in end.stdout + end.stderr
    assert "e2b_caca" not in end.stdout + end.stderr


def test_every_line_of_the_json_log_is_an_object_with_its_level_and_time() -> None:
    end = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={**os.environ, **CANARIES, "LOG_FORMAT": "json"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    events = [json.loads(line) for line in end.stderr.splitlines()]
    assert len(events) > 50
    assert all({"event", "level", "timestamp", "logger"} <= event.keys() for event in events)


def test_ordinary_words_are_left_as_they_are() -> None:
    line = "12345:67 turn=812 ratio 3:4 https://example.org/a?b=c user@example.org sk-short"
    assert redactor(["", "abc"])(line) == line


def test_the_password_of_any_url_is_masked() -> None:
    assert redactor([])("postgres://user:p4ss@db:5432/x") == f"postgres://user:{MASK}@db:5432/x"
