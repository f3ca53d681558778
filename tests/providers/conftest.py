"""Every provider's stand-in for the contract suite, and each vendor's alone for what only it does."""

import importlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from conversations.contracts import Model
from conversations.providers import models, modules
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.openai import OpenAIStandIn
from tests.providers import harness_claude, harness_openai
from tests.providers.harness import Harness

HERE = Path(__file__).parent
PROVIDERS = {module.__name__.rpartition(".")[2] for module in modules()}
# And the second wires: a provider may have a harness for each.
NAMES = sorted(PROVIDERS | {path.stem.removeprefix("harness_") for path in HERE.glob("harness_*.py")})


def harness_of(name: str) -> type[Harness]:
    """The harness class of a provider; a provider without one stops the tests here, by name."""
    made: type[Harness] = importlib.import_module(f"tests.providers.harness_{name}").Harness
    return made


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A contract test runs for every provider whose harness can be put into its scenario."""
    if "harness" in metafunc.fixturenames:
        scenario = metafunc.function.scenario
        able = [name for name in NAMES if scenario not in harness_of(name).cannot]
        metafunc.parametrize("harness", able, indirect=True)


@pytest.fixture
async def harness(request: pytest.FixtureRequest, settings: Any) -> AsyncIterator[Harness]:
    async with harness_of(request.param)().opened(settings) as opened:
        yield opened


@pytest.fixture
async def anthropic(settings: Any) -> AsyncIterator[AnthropicStandIn]:
    """Anthropic's stand-in, with the provider pointed at it."""
    async with AnthropicStandIn.started() as stand_in, harness_claude.pointed_at(stand_in.url, settings):
        yield stand_in


@pytest.fixture
async def openai(settings: Any) -> AsyncIterator[OpenAIStandIn]:
    """OpenAI's stand-in, with the provider pointed at it."""
    async with OpenAIStandIn.started() as stand_in, harness_openai.pointed_at(stand_in.url, settings):
        yield stand_in


@pytest.fixture
def sol() -> Model:
    return models()["gpt-6.1-sol"]


@pytest.fixture
def opus() -> Model:
    return models()["claude-opus-5-5"]
