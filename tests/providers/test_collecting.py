"""The registry of models: every provider module, no model twice, nothing without its key."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from conversations import providers
from conversations.providers import available, beside, models
from tests.providers.conftest import NAMES, PROVIDERS


def test_every_module_with_models_is_a_provider_and_its_siblings_are_not() -> None:
    assert {"claude", "demo", "gemini", "openai"} <= PROVIDERS
    assert {"anthropic", "demo", "google", "openai"} <= {model.vendor for model in models().values()}
    assert not any(name.startswith(f"{other}_") for name in PROVIDERS for other in PROVIDERS)


def test_a_second_harness_is_another_wire_of_a_provider() -> None:
    assert {"openai", "openai_chat"} <= set(NAMES)
    assert all(name in PROVIDERS or name.rpartition("_")[0] in PROVIDERS for name in NAMES)


def test_every_model_is_found_by_its_own_id() -> None:
    assert all(model.id == model_id for model_id, model in models().items())


def test_the_demo_needs_no_key(settings: Any) -> None:
    settings.ANTHROPIC_API_KEY = ""
    assert list(available()) == ["demo"]


def test_a_server_of_ones_own_takes_the_place_of_openais_models() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "from conversations.providers import available; print(*available())"],
        cwd=Path(providers.__file__).parents[2],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "OPENAI_BASE_URL": "http://127.0.0.1:11434/v1",
            "OPENAI_MODELS": "qwen3:32b@40960,llama4",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["demo", "qwen3:32b", "llama4"]


@pytest.fixture
def another_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that counts as part of the package, for a provider of the test's own."""
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(tmp_path)])
    yield tmp_path
    sys.modules.pop("conversations.providers.another", None)
    beside.cache_clear()
    models.cache_clear()


def _write(folder: Path, model_id: str) -> ModuleType:
    (folder / "another.py").write_text(
        "from dataclasses import replace\n"
        "from conversations.providers.demo import MODELS as DEMO\n"
        f"MODELS = (replace(DEMO[0], id={model_id!r}),)\n"
        "def ready():\n"
        "    return False\n"
    )
    beside.cache_clear()
    models.cache_clear()
    return providers


def test_a_new_file_is_a_new_provider_and_hidden_until_it_is_ready(another_provider: Path) -> None:
    _write(another_provider, "another-1")
    assert "another-1" in models()
    assert "another-1" not in available()


def test_two_providers_with_one_model_stop_the_start(another_provider: Path) -> None:
    _write(another_provider, "demo")
    with pytest.raises(ValueError, match="two providers offer the model 'demo'"):
        models()
