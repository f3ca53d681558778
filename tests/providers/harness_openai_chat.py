"""A compatible server on Chat Completions, against the stand-in over HTTP: the other wire of OpenAI's provider."""

from conversations.contracts import Model
from conversations.providers.openai_chat import model_of
from tests.fakes.openai import SERVED
from tests.fakes.openai_script import Answer, Item, Says, Script, Thought, Use, Words
from tests.providers import harness_openai
from tests.providers.harness import Scenario
from tests.providers.harness_openai import HALF, SCRIPTS


class Harness(harness_openai.Harness):
    model: Model = model_of(SERVED[0])
    scripts = SCRIPTS | {Scenario.REFUSAL: (Says((HALF,), incomplete="content_filter"),)}
    rows = "messages"
    too_long = 20_000

    def turns(self) -> Script:
        return _turns


def _turns(body: Item) -> Answer:
    """Thinking, words and a call to everything a person asks; thinking and words to every result."""
    if body["messages"][-1]["role"] == "tool":
        return Says((Thought(("It is drawn.",)), Words("There it stands, **é🎈**.\n")))
    formula = {"latex": r"\frac{1}{\lambda^4}", "points": [1, 2.5, None, True]}
    return Says((Thought(("A formula helps.",)), Words("Look:\n\n"), Use("render_latex", formula)))
