"""What may change under a running conversation: the model, the tools of a deploy."""

import json

from accounts.models import User
from config.aio import in_db
from conversations.models import Thread
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Thought, Use, Words
from tests.flows import books, shown
from tools.catalog import offered

OLD_TOOL = {"name": "old_tool", "description": "It was taken out.", "schema": {"type": "object"}}


async def ask(anna: Person, words: str, count: int) -> str:
    await anna.send(words)
    await books.all_done(count)
    return shown.words(anna.replies[-1])


@in_db
def switch_to(model: str) -> None:
    User.objects.update(model=model)


@in_db
def began_with_an_old_tool() -> None:
    """As if an earlier release, which still had this tool, had started every thread."""
    for thread in Thread.objects.all():
        thread.tools = json.dumps([OLD_TOOL, *json.loads(thread.tools)])
        thread.save(update_fields=["tools"])


async def test_another_model_reads_the_conversation_and_gets_nothing_only_its_maker_reads(
    starling: Roles, claude: AnthropicStandIn, anna: Person, settings
):
    settings.DEMO_TOKENS_PER_SECOND = 1_000_000
    claude.say(Thought("Haiku thinks."), Words("One"))
    assert await ask(anna, "First", 1) == "One"
    await switch_to("demo")
    assert "Mercury" in await ask(anna, "Make a table", 2)
    await switch_to("claude-sonnet-5-5")
    claude.say(Thought("Sonnet thinks."), Words("Three"))
    assert await ask(anna, "Third", 3) == "Three"
    await switch_to("")
    claude.say(Words("Four"))
    assert await ask(anna, "Fourth", 4) == "Four"
    assert [request.status for request in claude.requests] == [200, 200, 200]
    assert [request.body["model"] for request in claude.requests] == [
        "claude-haiku-5-5",
        "claude-sonnet-5-5",
        "claude-haiku-5-5",
    ]
    said = claude.requests[-1].body["messages"]
    assert [message["role"] for message in said] == ["user", "assistant"] * 3 + ["user"]
    thoughts = [block.get("thinking") for message in said for block in message["content"]]
    assert "Haiku thinks." in thoughts  # still valid: the demo's words stand behind it
    assert not any(thought and "table of the planets" in thought for thought in thoughts)


async def test_a_tool_that_was_taken_out_is_still_listed_and_says_what_there_is(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words("One"))
    await ask(anna, "First", 1)
    await began_with_an_old_tool()
    claude.say(Use("old_tool", {}))
    claude.say(Words("Done without"))
    assert await ask(anna, "Use it", 2) == "Done without"
    last = claude.requests[-1].body
    assert [tool["name"] for tool in last["tools"]] == ["old_tool", *offered()]
    (result,) = last["messages"][-1]["content"]
    assert result["is_error"]
    assert f"The tools are: {', '.join(offered())}." in result["content"]
