"""A conversation that one vendor began and another goes on with: neutral words travel, luggage stays at home."""

import json

import pytest

from conversations.contracts import Model, RequestMessage
from conversations.parts import ToolResult, dump, load
from conversations.providers import models
from tests.fakes import anthropic_script as claude_says
from tests.fakes import openai_script as openai_says
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.openai import OpenAIStandIn
from tests.providers.harness import answer, asks, assistant, system, user
from tests.providers.harness_openai_chat import Harness as Chat

LATEX = {"latex": r"\frac{1}{\lambda^4}"}


def spoken(claude: AnthropicStandIn, openai: OpenAIStandIn) -> None:
    """Both are ready to think, speak and call, once."""
    claude.say(
        claude_says.Thought("Claude's thought."),
        claude_says.Words("Look:"),
        claude_says.Use("render_latex", LATEX),
    )
    openai.say(
        openai_says.Thought(("OpenAI's thought.",)),
        openai_says.Words("Look:"),
        openai_says.Use("render_latex", LATEX),
    )


MODELS = {
    "claude": models()["claude-opus-5-5"],
    "openai": models()["gpt-6.1-sol"],
    "chat": Chat.model,
}


@pytest.mark.parametrize(
    ("first", "then"),
    [(first, then) for first in MODELS for then in MODELS if first != then],
)
async def test_a_history_begun_by_one_is_gone_on_with_by_the_other_and_comes_back(
    anthropic: AnthropicStandIn, openai: OpenAIStandIn, first: str, then: str
) -> None:
    spoken(anthropic, openai)
    history: list[RequestMessage] = [user("Draw it, please.")]
    for model in (MODELS[first], MODELS[then], MODELS[first]):
        history += await _turn(model, history)
        history += [system("It is later now."), user("And again?")]
    bodies = [request.body for request in (*anthropic.requests, *openai.requests)]
    assert len(bodies) == 6
    assert all(request.status == 200 for request in (*anthropic.requests, *openai.requests))
    for body in bodies:
        told = json.dumps(body.get("messages", body.get("input")))
        # Each is sent the words of all, and nobody's thoughts but its own.
        assert ("Claude's thought." in told) <= body["model"].startswith("claude")
        assert ("OpenAI's thought." in told) <= (not body["model"].startswith("claude"))


async def _turn(model: Model, history: list[RequestMessage]) -> list[RequestMessage]:
    """Two calls of the model, with the result of the tool it called between, if it called one."""
    said: list[RequestMessage] = []
    for _ in range(2):
        reply = await answer(model, asks(*history, *said))
        said.append(assistant(*load(dump(reply.kept()))))
        if reply.calls:
            said.append(user(*(ToolResult(call.id, call.name, "drawn") for call in reply.calls)))
        else:
            said.append(user("Thanks. More?"))
    return said
