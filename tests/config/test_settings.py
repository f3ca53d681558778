"""The settings: read strictly, from NAME or NAME_FILE, and refused in one sentence."""

import os
import re
import runpy
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.env import Environment, ServedModel

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "123456789:" + "a" * 35


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Read config/settings.py afresh with these variables set."""

    def read_with(**variables: str) -> dict[str, Any]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(ROOT / "config" / "settings.py"))

    return read_with


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DEBUG", "maybe", "must be true or false, not 'maybe'"),
        ("HTTPS", "2", "must be true or false"),
        ("WEB_PORT", "eighty", "must be a whole number from 1 to 65535"),
        ("WEB_PORT", "70000", "must be a whole number from 1 to 65535"),
        ("PLAYGROUND_PORT", "8081.5", "must be a whole number"),
        ("DB_THREADS", "0", "must be a whole number from 1 to 64"),
        ("DB_THREADS", "１２", "must be a whole number"),
        ("RUNNING_TURNS_MAX", "-1", "must be a whole number"),
        ("STARTING_BALANCE_USD", "one", "must be an amount in dollars"),
        ("STARTING_BALANCE_USD", "-1", "must be an amount in dollars"),
        ("TURN_CAP_USD", "NaN", "must be an amount in dollars"),
        ("OVERDRAFT_LIMIT_USD", "Infinity", "must be an amount in dollars"),
        ("DAILY_CAP_USD", "1,50", "must be an amount in dollars"),
        ("BOT_DAILY_CAP_USD", "$5", "must be an amount in dollars"),
        ("DATABASE_URL", "mysql://localhost/starling", "must be a URL that begins with postgres"),
        ("DATABASE_URL", "postgres://u:p@host:port/name", "must be a URL"),
        ("REDIS_URL", "localhost:6379", "must be a URL that begins with redis"),
        ("TELEGRAM_API_URL", "api.telegram.org", "must be a URL that begins with https"),
        ("ANTHROPIC_BASE_URL", "ftp://example.org", "must be a URL that begins with https"),
        ("GEMINI_BASE_URL", "generativelanguage.googleapis.com", "must be a URL that begins with https"),
        ("TELEGRAM_BOT_TOKEN", "123:short", "does not look like a bot token"),
        ("LOG_FORMAT", "xml", "must be one of console, json"),
        ("LOG_LEVEL", "LOUD", "must be one of DEBUG, INFO"),
        ("DEFAULT_MODEL", "claude-opus-5-5", "needs ANTHROPIC_API_KEY"),
        ("DEFAULT_MODEL", "gpt-6.1-sol", "needs OPENAI_API_KEY"),
        ("OPENAI_BASE_URL", "ollama:11434", "must be a URL that begins with https"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:11434/v1", "name its models in OPENAI_MODELS"),
        ("OPENAI_MODELS", "qwen3:32b", "set OPENAI_BASE_URL"),
        ("OPENAI_MODELS", "qwen3:32b@4095", "a window of at least 4096 tokens, not 'qwen3:32b@4095'"),
        ("OPENAI_MODELS", "qwen3:32b@many", "not 'qwen3:32b@many'"),
        ("OPENAI_MODELS", "qwen3:32b+video", "not 'qwen3:32b+video'"),
        ("OPENAI_MODELS", "qwen3, qwen3@8192", "names qwen3 twice"),
        ("DEFAULT_MODEL", "gemini-4-argon", "needs GEMINI_API_KEY"),
        ("SANDBOX", "e2b", "needs E2B_API_KEY"),
        ("SANDBOX", "docker", "must be one of auto, e2b, local, off"),
        ("E2B_API_URL", "api.e2b.app", "a URL that begins with https or http"),
        ("SECRET_KEY_FILE", "/nowhere/at/all", "names a file that cannot be read"),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence_that_names_it(
    read: Any, name: str, value: str, says: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=re.escape(says)) as refusal:
        read(**{name: value})
    sentence = str(refusal.value)
    assert sentence.startswith(name)
    assert sentence.endswith((".", "use demo."))
    assert "\n" not in sentence


def test_a_refused_secret_is_not_repeated(read: Any) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        read(DATABASE_URL="postgres://u:hunter2@host:port/name")
    assert "hunter2" not in str(refusal.value)


def test_every_value_may_come_from_a_file(read: Any, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "balance").write_text("2.50\n")
    values = read(
        TELEGRAM_BOT_TOKEN_FILE=str(tmp_path / "token"), STARTING_BALANCE_USD_FILE=str(tmp_path / "balance")
    )
    assert values["TELEGRAM_BOT_TOKEN"] == TOKEN
    assert values["STARTING_BALANCE_USD"] == Decimal("2.50")


def test_without_a_token_the_playground_stands_in(read: Any) -> None:
    values = read(PLAYGROUND_PORT="9123", TELEGRAM_API_URL="https://api.telegram.org")
    assert values["PLAYGROUND"] is True
    assert values["TELEGRAM_API_URL"] == "http://127.0.0.1:9123"
    assert re.fullmatch(r"\d{6,}:[\w-]{35}", values["TELEGRAM_BOT_TOKEN"])


def test_with_a_token_the_bot_talks_to_telegram_and_the_playground_does_not_run(read: Any) -> None:
    values = read(TELEGRAM_BOT_TOKEN=TOKEN)
    assert values["PLAYGROUND"] is False
    assert values["TELEGRAM_API_URL"] == "https://api.telegram.org"


def test_another_bot_api_server_may_be_named(read: Any) -> None:
    values = read(TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_API_URL="http://127.0.0.1:8082/")
    assert values["TELEGRAM_API_URL"] == "http://127.0.0.1:8082"


def test_the_first_vendor_with_a_key_answers_and_the_demo_model_when_there_is_none(read: Any) -> None:
    assert read()["DEFAULT_MODEL"] == "demo"
    assert read(GEMINI_API_KEY="a-key")["DEFAULT_MODEL"] == "gemini-3.8-flash"
    assert read(ANTHROPIC_API_KEY="a-key")["DEFAULT_MODEL"] == "claude-sonnet-5-5"


def test_openai_answers_when_its_key_is_the_only_one(read: Any) -> None:
    assert read(OPENAI_API_KEY="a-key")["DEFAULT_MODEL"] == "gpt-6.1-sol"
    assert read(ANTHROPIC_API_KEY="a-key")["DEFAULT_MODEL"] == "claude-sonnet-5-5"


def test_a_server_of_ones_own_offers_the_models_it_is_said_to_have(read: Any) -> None:
    values = read(
        OPENAI_BASE_URL="http://127.0.0.1:11434/v1/",
        OPENAI_MODELS="qwen3:32b@40960, google/gemma-3:free+images+notools,llama4@131072+images",
    )
    assert values["OPENAI_COMPATIBLE"] is True
    assert values["OPENAI_BASE_URL"] == "http://127.0.0.1:11434/v1"
    assert values["OPENAI_MODELS"] == (
        ServedModel("qwen3:32b", 40_960, images=False, tools=True),
        ServedModel("google/gemma-3:free", 32_768, images=True, tools=False),
        ServedModel("llama4", 131_072, images=True, tools=True),
    )
    # Its key buys nothing at OpenAI, and its models have no price yet.
    assert read(OPENAI_API_KEY="a-key")["DEFAULT_MODEL"] == "demo"


def test_a_region_of_openais_is_openai(read: Any) -> None:
    assert read(OPENAI_BASE_URL="https://eu.api.openai.com/v1")["OPENAI_COMPATIBLE"] is False


def test_an_empty_value_counts_as_unset(read: Any) -> None:
    assert read(DEBUG="", WEB_PORT="", TELEGRAM_BOT_TOKEN="")["WEB_PORT"] == 8000


def test_the_embedded_servers_are_used_when_no_address_is_given(
    read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.delenv("REDIS_URL")
    values = read()
    assert values["DATABASES"]["default"]["OPTIONS"]["host"].startswith("/")
    assert values["REDIS_URL"].startswith("unix:///")
    assert values["CELERY_BROKER_URL"].startswith("redis+socket:///")


def test_the_environment_wins_over_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENV_FILE")
    (tmp_path / "elsewhere").write_text("from the file")
    (tmp_path / ".env").write_text(f"WEB_PORT=9000\nDEBUG=true\nLOG_LEVEL_FILE={tmp_path / 'elsewhere'}\n")
    monkeypatch.setenv("WEB_PORT", "9001")
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    env = Environment(tmp_path)
    assert env.port("WEB_PORT", 8000) == 9001
    assert env.flag("DEBUG", default=False) is True
    assert env.text("LOG_LEVEL") == "ERROR"


def test_reading_the_env_file_leaves_the_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENV_FILE")
    (tmp_path / ".env").write_text("WEB_PORT=9000\n")
    Environment(tmp_path)
    assert "WEB_PORT" not in os.environ


def test_the_example_names_exactly_the_variables_the_settings_read(read: Any) -> None:
    example = set(re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert example == read()["env"].names


def test_every_variable_of_the_example_has_its_line_of_meaning() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if "=" in line[:30] > "A" and not before.startswith("#")
    ]
    assert bare == []


def test_the_example_as_it_stands_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Any
) -> None:
    monkeypatch.setenv("ENV_FILE", str(ROOT / ".env.example"))
    assert read()["PLAYGROUND"] is True


@pytest.mark.parametrize(
    "command",
    [
        ["manage.py", "check"],
        ["-m", "celery", "-A", "config", "worker"],
        ["-m", "uvicorn", "config.asgi:application"],
        ["-m", "config.run"],
    ],
    ids=["manage.py", "celery", "uvicorn", "make run"],
)
def test_each_role_ends_with_the_sentence_and_no_traceback(command: list[str]) -> None:
    end = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "WEB_PORT": "eighty"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert end.returncode == 1
    assert end.stderr.splitlines() == [
        "Starling cannot start: WEB_PORT must be a whole number from 1 to 65535, not 'eighty'."
    ]
