"""The whole bot, as in tests/flows, and somebody who listens."""

from collections.abc import AsyncIterator

import pytest

from conversations.providers import openai_voice
from tests.fakes.openai_voice import OpenAiVoice
from tests.flows.conftest import anna, boris, claude, starling, telegram

__all__ = ["anna", "boris", "claude", "starling", "telegram"]


@pytest.fixture
async def ears(settings) -> AsyncIterator[OpenAiVoice]:
    """OpenAI's transcription; ask for it before `starling`, which looks once who listens."""
    async with OpenAiVoice.started() as stand_in:
        settings.OPENAI_API_KEY = "sk-openai-tests"
        settings.OPENAI_BASE_URL = stand_in.url
        openai_voice.client.cache_clear()
        yield stand_in
        await openai_voice.client().close()
        openai_voice.client.cache_clear()
