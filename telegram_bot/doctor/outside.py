"""The vendors whose keys are set: is each key taken, and does it reach the models that people are offered?"""

import asyncio
from collections.abc import Iterator
from functools import partial
from types import ModuleType

from django.conf import settings

from conversations.contracts import ProviderError
from conversations.providers import available, modules, transcriber
from telegram_bot.doctor.findings import Check, Finding, bad, look, well

ANSWER_SECONDS_MAX = 8.0
WHY = {
    "key": "does not take the key: copy it again from the vendor's console.",
    "limited": "answers that the limit of this key is reached: look at the vendor's console.",
    "timeout": "did not answer in time: look at this machine's network, or at the vendor's status page.",
}
AWAY = "does not answer: look at this machine's network, or at the vendor's status page."


def vendors() -> tuple[Check, ...]:
    """One check for each provider that has a key, and one for what the keys leave out."""
    asked = tuple(
        Check(_name(module), partial(_vendor, module), ANSWER_SECONDS_MAX)
        for module in modules()
        if module.ready() and hasattr(module, "listed")
    )
    return (*asked, Check("The models", _offered))


def _vendor(module: ModuleType) -> Iterator[Finding]:
    name = _name(module)
    try:
        known = asyncio.run(module.listed())
    except ProviderError as error:
        yield bad(f"{name} {WHY.get(error.key, AWAY)}")
        return
    ours = {model.id for model in module.MODELS}
    yield well(f"{name} takes the key and lists {len(ours & known)} of our {len(ours)} models.")
    if ours - known:
        gone = ", ".join(sorted(ours - known))
        yield look(f"{name} does not list {gone}: people who choose one get an error. Disable its price.")


def _offered() -> Iterator[Finding]:
    models = available()
    if settings.DEFAULT_MODEL not in models:
        yield bad(f"DEFAULT_MODEL is {settings.DEFAULT_MODEL}, which no key reaches: the bot does not start.")
    elif settings.DEFAULT_MODEL == "demo":
        yield look("Only the scripted demo answers: set ANTHROPIC_API_KEY, OPENAI_API_KEY or GEMINI_API_KEY.")
    else:
        yield well(f"New people talk to {models[settings.DEFAULT_MODEL].name}.")
    if transcriber() is None:
        yield look("Voice notes are not heard: that needs OPENAI_API_KEY.")


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2].capitalize()
