"""What `manage.py doctor` asks of a vendor: the models that a key may use."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from conversations.contracts import ProviderError
from conversations.providers import claude, gemini, openai
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.gemini import GeminiStandIn
from tests.fakes.openai import OpenAIStandIn
from tests.providers import harness_claude, harness_gemini, harness_openai


@dataclass
class Vendor:
    stand_in: Any
    listed: Callable[[], Awaitable[frozenset[str]]]
    ours: set[str]


@asynccontextmanager
async def opened(name: str, settings: Any) -> AsyncIterator[Vendor]:
    module, stand_in, harness = {
        "claude": (claude, AnthropicStandIn, harness_claude),
        "gemini": (gemini, GeminiStandIn, harness_gemini),
        "openai": (openai, OpenAIStandIn, harness_openai),
    }[name]
    async with stand_in.started() as api, harness.pointed_at(api.url, settings):
        yield Vendor(api, module.listed, {model.id for model in module.MODELS})


@pytest.fixture(params=["claude", "gemini", "openai"])
async def vendor(request: pytest.FixtureRequest, settings: Any) -> AsyncIterator[Vendor]:
    async with opened(request.param, settings) as vendor:
        yield vendor


async def test_every_model_of_ours_is_among_those_of_the_vendor(vendor: Vendor) -> None:
    assert vendor.ours <= await vendor.listed()


async def test_a_key_that_is_not_taken_is_told_from_a_vendor_that_is_away(vendor: Vendor) -> None:
    vendor.stand_in.api_key = "another"
    with pytest.raises(ProviderError) as failed:
        await vendor.listed()
    assert failed.value.key == "key"


async def test_a_vendor_that_is_away_is_a_failure_of_the_provider(settings: Any) -> None:
    async with harness_claude.pointed_at("http://127.0.0.1:9", settings):
        with pytest.raises(ProviderError, match="overloaded"):
            await claude.listed()
    async with harness_gemini.pointed_at("http://127.0.0.1:9", settings):
        with pytest.raises(ProviderError, match="overloaded"):
            await gemini.listed()
    async with harness_openai.pointed_at("http://127.0.0.1:9/v1", settings):
        with pytest.raises(ProviderError, match="overloaded"):
            await openai.listed()


async def test_a_server_of_ones_own_that_needs_no_key_is_sent_none(settings: Any) -> None:
    async with OpenAIStandIn.started() as api, harness_openai.pointed_at(api.url, settings, key=""):
        assert "gpt-6.1-sol" in await openai.listed()
