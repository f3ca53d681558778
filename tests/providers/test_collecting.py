"""The registry of models: every provider module, no model twice, nothing without its key."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from conversations import providers
from conversations.providers import available, models, modules
from tests.providers.conftest import NAMES


def test_every_module_with_models_is_a_provider_and_its_siblings_are_not() -> None:
    assert NAMES == ["claude", "demo"]
    assert {model.vendor for model in models().values()} == {"anthropic", "demo"}


def test_every_model_is_found_by_its_own_id() -> None:
    assert all(model.id == model_id for model_id, model in models().items())


def test_the_demo_needs_no_key(settings: Any) -> None:
    settings.ANTHROPIC_API_KEY = ""
    assert list(available()) == ["demo"]


@pytest.fixture
def another_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that counts as part of the package, for a provider of the test's own."""
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(tmp_path)])
    yield tmp_path
    sys.modules.pop("conversations.providers.another", None)
    modules.cache_clear()
    models.cache_clear()


def _write(folder: Path, model_id: str) -> ModuleType:
    (folder / "another.py").write_text(
        "from dataclasses import replace\n"
        "from conversations.providers.demo import MODELS as DEMO\n"
        f"MODELS = (replace(DEMO[0], id={model_id!r}),)\n"
        "def ready():\n"
        "    return False\n"
    )
    modules.cache_clear()
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
