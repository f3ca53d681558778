"""The situations are sound, the judge is strict, and the prompt is the one that was measured."""

import asyncio
import re
import subprocess
import sys
import tomllib
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from conversations.contracts import Done, Reason
from conversations.parts import Text, ToolCall
from conversations.providers import models
from conversations.reply import Reply
from conversations.threads import head_of
from tests.conftest import ROOT
from tests.evals.judging import BEGAN, Situation, askable, judged, request_of, situations
from tests.evals.running import all_of, numbered, report
from tools.catalog import tools

TO_COME = {"generate_image", "transcribe_audio"}  # tools of the design that a catalog may lack
SYSTEM_BYTES_MAX = 2_400  # some 600 tokens, read again with every call


def replied(*parts: Text | ToolCall) -> Reply:
    reply = Reply()
    for part in parts:
        reply.add(part)
    reply.add(Done(Reason.END))
    return reply


def call(name: str, **arguments: str) -> ToolCall:
    return ToolCall(f"call_{name}", name, dict(arguments))


# The situations -----------------------------------------------------------------------------------------


def test_there_are_enough_situations_of_every_kind_and_each_has_a_name_of_its_own() -> None:
    every = situations()
    assert len(every) >= 40
    assert len({situation.name for situation in every}) == len(every)
    assert sum(not situation.wants for situation in every) >= 15
    assert sum(bool(re.search("[а-я]", situation.asks)) for situation in every) >= 8


def test_the_tools_are_wanted_twice_each_and_no_other_names_are_used() -> None:
    wanted = Counter(name for situation in situations() for name in situation.wants)
    assert len([name for name in wanted if wanted[name] >= 2]) >= 9
    assert wanted.keys() - tools().keys() <= TO_COME
    for situation in situations():
        re.compile(situation.says)
        re.compile(situation.lacks)


def test_a_situation_is_asked_as_the_bot_asks() -> None:
    claude = models()["claude-sonnet-5-5"]
    for situation in situations():
        request = request_of(situation, claude)
        assert "You are Starling" in request.system
        assert ("This is a group" in request.system) == situation.group
        assert {spec.name for spec in request.tools} == set(tools())
        assert request.messages[-1].role == "user"


def test_a_tool_that_a_model_is_not_told_of_is_asked_of_nobody() -> None:
    search = Situation("x", "News?", ("web_search",))
    assert askable(search, models()["claude-sonnet-5-5"])
    assert not askable(search, models()["demo"])


# The judge ------------------------------------------------------------------------------------------------

PICTURE = Situation("x", "Draw it.", ("render_latex",), may=("deliver_file",), given="sqrt")
NOTHING = Situation("x", "Hello", (), says="(?i)hello", lacks="/pay")


@pytest.mark.parametrize(
    ("situation", "parts", "why"),
    [
        (PICTURE, [call("render_latex", latex=r"\sqrt{2}")], ""),
        (PICTURE, [call("render_latex", latex=r"\sqrt{2}"), call("deliver_file")], ""),
        (PICTURE, [Text("It is √2.")], "called nothing"),
        (PICTURE, [call("web_fetch")], "called web_fetch"),
        (PICTURE, [call("render_latex", latex=r"\sqrt{2}"), call("web_fetch")], "called web_fetch too"),
        (PICTURE, [call("render_latex", latex="2")], "sqrt is not in {'latex': '2'}"),
        (NOTHING, [Text("Hello!")], ""),
        (NOTHING, [Text("Good day.")], "its words lack (?i)hello"),
        (NOTHING, [Text("Hello, see /pay.")], "its words have /pay"),
        (NOTHING, [Text("Hello!"), call("render_latex", latex="x")], "called render_latex"),
    ],
)
def test_an_answer_is_right_or_it_is_said_why_not(situation: Situation, parts: list[Text], why: str) -> None:
    assert judged(situation, replied(*parts)).wrong == why


# The run ----------------------------------------------------------------------------------------------------


async def test_the_demo_gives_the_same_figure_twice_and_the_report_says_that_it_is_a_script(settings) -> None:
    settings.DEMO_TOKENS_PER_SECOND = 1e9
    demo = models()["demo"]
    asked = [situation for situation in situations() if askable(situation, demo)]
    (first, used), (second, _) = await asyncio.gather(all_of(asked, demo), all_of(asked, demo))
    assert first == second
    told = report(demo, first, used, 1.0)
    assert "The demo is a script" in told
    right = sum(not verdict.wrong for verdict in first)
    assert f"**{right} of {len(asked)} right**" in told
    assert 5 < right < len(asked), "a script that is right about everything was written for the test"


def test_make_evals_prints_the_table_and_keeps_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.evals"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "| tool | situations | right |" in done.stdout
    assert (ROOT / ".local/reports/evals-demo.md").read_text() in done.stdout


# The prompt -------------------------------------------------------------------------------------------------


def test_the_prompt_is_the_version_it_says() -> None:
    number, digest = numbered()
    known = tomllib.loads((Path(__file__).parent / "versions.toml").read_text())
    assert known.get(number) == digest, (
        "The words of templates/prompts/system.md changed: give them a new number in its first line, run "
        f'`make evals` against a model, and add {int(number) + 1} = "…" to tests/evals/versions.toml.'
    )
    assert number == max(known, key=int)


@pytest.mark.parametrize("alone", [True, False])
def test_the_prompt_is_short_and_the_same_bytes_every_time(alone: bool) -> None:
    system, _ = head_of("", tools().values(), began=BEGAN, alone=alone)
    assert system == head_of("", reversed(tools().values()), began=BEGAN, alone=alone)[0]
    assert len(system.encode()) <= SYSTEM_BYTES_MAX + (0 if alone else 400)
    assert not re.search(r"\{[%#{]|\n\n\n", system)
    assert "Version" not in system


def test_the_prompt_names_no_tool_that_there_is_not() -> None:
    system, _ = head_of("", tools().values(), began=date(2026, 11, 25), alone=True)
    assert set(re.findall(r"\b[a-z]+_[a-z]+\b", system)) <= tools().keys()
