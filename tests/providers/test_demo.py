"""The demo model: what it says, in which language, and that it says what it is."""

import asyncio
from typing import Any

import pytest

from conversations.contracts import Done, Model, Reason, Request, RequestMessage
from conversations.parts import Text, Thinking, ToolCall, ToolResult, text_of
from conversations.providers import models
from conversations.providers.demo_long import long_answer
from conversations.reply import Reply
from tests.providers.harness import answer, asks, assistant, fold, user


@pytest.fixture
def demo(settings: Any) -> Model:
    settings.DEMO_TOKENS_PER_SECOND = 1_000_000
    return models()["demo"]


def words(reply: Reply) -> str:
    return text_of(reply.kept())


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Explain why the sky is blue", "scatters blue light"),
        ("Почему небо голубое?", "рассеивает синий свет"),
        ("show me the quadratic formula", "quadratic equation"),
        ("Покажи формулу корней", "Корни квадратного уравнения"),
        ("Write some Python code", "```python"),
        ("Напиши код", "```python"),
        ("Make a table", "| Mercury | 57.9 |"),
        ("Сделай таблицу", "| Меркурий | 57,9 |"),
        ("Hello!", "Hello! 👋"),
        ("Привет", "Здравствуйте! 👋"),
        ("What is the meaning of life?", "> What is the meaning of life?"),
        ("В чём смысл жизни?", "> В чём смысл жизни?"),
    ],
)
async def test_it_answers_what_was_asked_in_the_language_of_the_question(
    demo: Model, question: str, expected: str
) -> None:
    assert expected in words(await answer(demo, asks(question)))


async def test_it_says_once_that_it_is_a_demo(demo: Model) -> None:
    first = await answer(demo, asks("Hello"))
    second = await answer(demo, asks("Hello", assistant(*first.kept()), "Make a table"))
    assert "demo model" in words(first)
    assert "demo model" not in words(second)
    assert "демо-модель" in words(await answer(demo, asks("Привет")))


async def test_a_formula_is_drawn_when_there_is_a_tool_for_it(demo: Model) -> None:
    sky = await answer(demo, asks("Why is the sky blue?"))
    [call] = sky.calls
    assert call.name == "render_latex"
    assert r"\lambda" in call.arguments["latex"]
    done = user(ToolResult(call.id, call.name, "The formula was set."))
    after = await answer(demo, asks("Why is the sky blue?", assistant(*sky.kept()), done))
    assert "fourth power" in words(after)
    assert after.done == Done(Reason.END)


async def test_a_formula_that_could_not_be_drawn_is_given_as_latex(demo: Model) -> None:
    roots = await answer(demo, asks("the quadratic formula"))
    [call] = roots.calls
    failed = user(ToolResult(call.id, call.name, "No.", is_error=True))
    after = await answer(demo, asks("the quadratic formula", assistant(*roots.kept()), failed))
    assert r"$$x = \frac" in words(after)


@pytest.mark.parametrize("may_call", [True, False])
async def test_without_a_tool_or_leave_to_call_it_the_formula_is_latex(demo: Model, may_call: bool) -> None:
    given = asks("the quadratic formula", tools=() if may_call else asks("").tools)
    request = Request(given.system, given.messages, given.tools, given.output_max, may_call=may_call)
    reply = await answer(demo, request)
    assert not reply.calls
    assert r"$$x = \frac" in words(reply)
    assert reply.done == Done(Reason.END)


async def test_words_written_while_a_tool_ran_are_answered_too(demo: Model) -> None:
    roots = await answer(demo, asks("the quadratic formula"))
    [call] = roots.calls
    both = user(ToolResult(call.id, call.name, "ok"), "And a table, please")
    after = words(await answer(demo, asks("the quadratic formula", assistant(*roots.kept()), both)))
    assert "`D > 0`" in after
    assert "| Mercury" in after


@pytest.mark.parametrize(("question", "language"), [("a long answer", "en"), ("длинный ответ", "ru")])
async def test_a_long_answer_is_long_and_has_every_kind_of_formatting(
    demo: Model, question: str, language: str
) -> None:
    text = words(await answer(demo, asks(question, output_max=32_000)))
    assert text.endswith(long_answer(language))
    assert len(text) > 30_000
    for mark in (
        "\n## ",
        "\n- ",
        "\n  - ",
        "\n| ",
        "```python",
        "\n> ",
        "**",
        "~~",
        "👩‍🔬",
        "الرقم",
        "\n---\n",
    ):
        assert mark in text


@pytest.mark.parametrize("output_max", [50, 333, 2000])
async def test_an_answer_cut_and_gone_on_with_is_the_same_answer(demo: Model, output_max: int) -> None:
    history = [user("a long answer")]
    pieces: list[str] = []
    for _ in range(1000):
        reply = await answer(demo, asks(*history, output_max=output_max))
        assert reply.usage is not None
        assert reply.usage.output <= output_max
        pieces.append(words(reply))
        if reply.done == Done(Reason.END):
            break
        history += [assistant(*reply.kept()), user("Go on exactly where you stopped. Repeat nothing.")]
    assert "".join(pieces).endswith(long_answer("en"))


async def test_going_on_with_a_whole_answer_says_that_was_all(demo: Model) -> None:
    whole = await answer(demo, asks("Hello"))
    assert words(await answer(demo, asks("Hello", assistant(*whole.kept()), "continue"))) == "That was all."


async def test_the_same_request_says_and_costs_the_same(demo: Model) -> None:
    first, second = [await answer(demo, asks("Why is the sky blue?")) for _ in range(2)]
    assert first == second


async def test_it_speaks_at_a_human_pace(settings: Any, demo: Model) -> None:
    settings.DEMO_TOKENS_PER_SECOND = 0.001
    reply = Reply()
    speaking = asyncio.create_task(fold(reply, demo, asks("Hello")))
    await asyncio.sleep(0)
    await asyncio.wait([speaking], timeout=0.05)
    speaking.cancel()
    await asyncio.wait([speaking])
    assert reply.usage is not None
    assert not reply.began


async def test_it_thinks_before_it_speaks(demo: Model) -> None:
    kinds = [type(part) for part in (await answer(demo, asks("Why is the sky blue?"))).parts]
    assert kinds == [Thinking, Text, ToolCall]


@pytest.mark.parametrize(
    ("question", "title"),
    [("Explain why the sky is blue", "Demo: Explain why the sky is"), ("Привет", "Демо: Привет")],
)
async def test_its_titles_are_the_persons_own_words(demo: Model, question: str, title: str) -> None:
    told = (Text(f"The person wrote:\n{question}"), Text("The assistant answered:\nWell."))
    request = Request("", (RequestMessage("user", told),), (), 1_000, purpose="title")
    assert words(await answer(demo, request)) == title


async def test_its_summary_says_that_it_is_none(demo: Model) -> None:
    told = Text("Person:\nMake a table\n\nAssistant:\nThe inner planets")
    request = Request("", (RequestMessage("user", (told,)),), (), 8_000, purpose="summary")
    said = words(await answer(demo, request))
    assert said.startswith("The demo model cannot sum up.")
    assert said.endswith("The inner planets")
