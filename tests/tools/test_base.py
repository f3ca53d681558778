"""@tool: what a signature becomes, and what reaches the coroutine."""

from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from conversations.contracts import Tool, ToolContext, ToolFailed, ToolOutput
from tools.base import tool


class NoFiles:
    async def read(self, file_id: str) -> Any:
        raise ToolFailed("There are no files.")

    async def listing(self) -> list[Any]:
        return []


CONTEXT = ToolContext(user_id=1, thread_id=2, language="en", files=NoFiles())


@tool(label="Trying", icon="🧪", seconds_max=5, price_max=Decimal("0.02"), repeatable=False, runs_in="worker")
async def probe(
    context: ToolContext,
    word: Annotated[str, Field(description="A word.", min_length=1, max_length=5)],
    count: Annotated[int, Field(description="How many.", ge=1, le=3)] = 1,
    ratio: Annotated[float, Field(description="A ratio.")] = 0.5,
    loud: Annotated[bool, Field(description="Shout.")] = False,
    tone: Annotated[Literal["glad", "sad"], Field(description="A tone.")] = "glad",
    names: Annotated[list[str], Field(description="Names.", max_length=2)] = [],  # noqa: B006
    note: Annotated[str | None, Field(description="A note.")] = None,
) -> ToolOutput:
    """Repeat what was understood.

    In two paragraphs.
    """
    return ToolOutput(repr((context.thread_id, word, count, ratio, loud, tone, names, note)))


@tool(name="plain", label="Plain", icon="🧪", seconds_max=1)
async def without_parameters(context: ToolContext) -> ToolOutput:
    """Take nothing."""
    return ToolOutput("nothing")


def test_the_docstring_is_the_description_and_the_signature_is_the_schema() -> None:
    assert probe.description == "Repeat what was understood.\n\nIn two paragraphs."
    assert probe.schema == {
        "type": "object",
        "additionalProperties": False,
        "required": ["word"],
        "properties": {
            "word": {"type": "string", "minLength": 1, "maxLength": 5, "description": "A word."},
            "count": {
                "type": "integer",
                "minimum": 1,
                "maximum": 3,
                "default": 1,
                "description": "How many.",
            },
            "ratio": {"type": "number", "default": 0.5, "description": "A ratio."},
            "loud": {"type": "boolean", "default": False, "description": "Shout."},
            "tone": {"type": "string", "enum": ["glad", "sad"], "default": "glad", "description": "A tone."},
            "names": {
                "type": "array",
                "items": {"type": "string"},
                "maxItems": 2,
                "default": [],
                "description": "Names.",
            },
            "note": {
                "anyOf": [{"type": "string"}, {"type": "null"}],
                "default": None,
                "description": "A note.",
            },
        },
    }


def test_what_the_decorator_was_told_stands_on_the_tool() -> None:
    assert isinstance(probe, Tool)
    assert (probe.name, probe.label, probe.icon, probe.seconds_max) == ("probe", "Trying", "🧪", 5)
    assert (probe.price_max, probe.repeatable, probe.runs_in) == (Decimal("0.02"), False, "worker")
    assert (without_parameters.price_max, without_parameters.repeatable, without_parameters.runs_in) == (
        0,
        True,
        "bot",
    )


async def test_arguments_are_coerced_and_defaults_filled_in() -> None:
    output = await probe.run(CONTEXT, word="hi", count="3", ratio=1, loud="true", names=["a"])
    assert output.text == repr((2, "hi", 3, 1.0, True, "glad", ["a"], None))


async def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    assert without_parameters.name == "plain"
    assert without_parameters.schema == {"type": "object", "properties": {}, "additionalProperties": False}
    assert (await without_parameters.run(CONTEXT)).text == "nothing"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "word: Field required"),
        ({"word": "too long"}, "word: String should have at most 5 characters (got 'too long')"),
        ({"word": "a", "count": 9}, "count: Input should be less than or equal to 3 (got 9)"),
        ({"word": "a", "count": "many"}, "count: Input should be a valid integer"),
        ({"word": "a", "tone": "angry"}, "tone: Input should be 'glad' or 'sad' (got 'angry')"),
        ({"word": "a", "names": "b"}, "names: Input should be a valid list (got 'b')"),
        ({"word": "a", "names": [1]}, "names.0: Input should be a valid string (got 1)"),
        ({"word": "a", "wrod": "b"}, "wrod: Extra inputs are not permitted (got 'b')"),
        ({"word": "a", "context": "b"}, "context: Extra inputs are not permitted (got 'b')"),
        ({"word": ["x" * 1000]}, "word: Input should be a valid string (got ['" + "x" * 78 + "…)"),
    ],
)
async def test_a_wrong_argument_becomes_a_sentence_that_names_it(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ToolFailed) as failed:
        await probe.run(CONTEXT, **given)
    assert said in str(failed.value)
    assert str(failed.value).startswith("probe was not run")


async def test_one_call_never_sees_the_default_another_changed() -> None:
    @tool(label="", icon="", seconds_max=1)
    async def greedy(
        context: ToolContext,
        names: Annotated[list[str], Field(description="Names.")] = [],  # noqa: B006
    ) -> ToolOutput:
        """Keep what it gets."""
        names.append("x")
        return ToolOutput(str(len(names)))

    assert [(await greedy.run(CONTEXT)).text for _ in range(3)] == ["1", "1", "1"]


def test_what_is_not_typed_and_documented_is_refused_where_it_is_written() -> None:
    make = tool(label="", icon="", seconds_max=1)

    async def undocumented(context: ToolContext) -> ToolOutput:
        return ToolOutput("")

    async def undescribed(context: ToolContext, word: str) -> ToolOutput:
        """Do."""
        return ToolOutput(word)

    async def untyped(context: ToolContext, word) -> ToolOutput:  # type: ignore[no-untyped-def]
        """Do."""
        return ToolOutput(word)

    async def variadic(context: ToolContext, *words: str) -> ToolOutput:
        """Do."""
        return ToolOutput("")

    async def contextless(word: Annotated[str, Field(description="w")]) -> ToolOutput:
        """Do."""
        return ToolOutput(word)

    async def returning_text(context: ToolContext) -> str:
        """Do."""
        return ""

    async def verbose(context: ToolContext) -> ToolOutput:
        return ToolOutput("")

    def synchronous(context: ToolContext) -> ToolOutput:
        """Do."""
        return ToolOutput("")

    verbose.__doc__ = "x" * 1025
    for wrong in (
        undocumented,
        undescribed,
        untyped,
        variadic,
        contextless,
        returning_text,
        verbose,
        synchronous,
    ):
        with pytest.raises(TypeError, match=wrong.__name__):
            make(wrong)


@pytest.mark.parametrize("name", ["Probe", "1st", "a b", "", "x" * 65, "naïve"])
def test_a_name_some_vendor_would_refuse_is_refused_here(name: str) -> None:
    async def fine(context: ToolContext) -> ToolOutput:
        """Do."""
        return ToolOutput("")

    with pytest.raises(ValueError, match="no name"):
        tool(name=name or " ", label="", icon="", seconds_max=1)(fine)


def test_a_negative_price_is_refused() -> None:
    with pytest.raises(ValueError, match="no price"):
        tool(label="", icon="", seconds_max=1, price_max=Decimal(-1))
