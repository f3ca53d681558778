"""Asks a model every situation, and says in a table how often it was right."""

import argparse
import asyncio
import hashlib
import re
import time
import tomllib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from billing.price_sync import published, rates_of
from billing.pricing import PriceUnusable, Usage, price
from conversations.contracts import Model, ProviderError
from conversations.providers import available
from conversations.reply import Reply
from tests.evals.judging import Situation, Verdict, askable, judged, request_of, situations

PROMPT = Path(settings.BASE_DIR) / "templates/prompts/system.md"
REPORTS = settings.LOCAL / "reports"
AT_ONCE = 4
DEMO = "The demo is a script: this says what it has lines for, and nothing about the prompt."


def main() -> None:
    known = available()
    parser = argparse.ArgumentParser(prog="make evals")
    parser.add_argument("--model", choices=sorted(known), default=settings.DEFAULT_MODEL)
    model = known[parser.parse_args().model]
    settings.DEMO_TOKENS_PER_SECOND = 1e9
    begun = time.monotonic()
    asked = [situation for situation in situations() if askable(situation, model)]
    verdicts, usages = asyncio.run(all_of(asked, model))
    text = report(model, verdicts, usages, time.monotonic() - begun)
    REPORTS.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]", "_", model.id)
    path = REPORTS / f"evals-{name}.md"
    path.write_text(text)
    print(text)
    print(f"Kept in {path.relative_to(settings.BASE_DIR)}.")


async def all_of(asked: Sequence[Situation], model: Model) -> tuple[list[Verdict], list[Usage]]:
    """Every verdict, in the order of the situations, and what was used."""
    places = asyncio.Semaphore(AT_ONCE)
    usages: list[Usage] = []

    async def one(situation: Situation) -> Verdict:
        reply = Reply()
        async with places:
            try:
                async for event in model.stream(model, request_of(situation, model)):
                    reply.add(event)
            except ProviderError as error:
                return Verdict(situation, (), f"no answer: {error.key}")
        usages.append(reply.usage or Usage())
        return judged(situation, reply)

    return await asyncio.gather(*map(one, asked)), usages


def report(model: Model, verdicts: Sequence[Verdict], usages: Sequence[Usage], seconds: float) -> str:
    right = sum(not verdict.wrong for verdict in verdicts)
    lines = [
        f"# {model.name}, prompt version {version()}",
        "",
        *([DEMO, ""] if model.vendor == "demo" else []),
        f"**{right} of {len(verdicts)} right**, {len(situations()) - len(verdicts)} left out for tools that are not "
        f"here. {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {seconds:.0f} s, {_spent(model, usages)}.",
        "",
        "| tool | situations | right | not called | called where it should not be |",
        "| --- | --: | --: | --: | --: |",
        *_rows(verdicts),
    ]
    if wrong := [verdict for verdict in verdicts if verdict.wrong]:
        lines += ["", "| what was wrong | why |", "| --- | --- |"]
        lines += [f"| {verdict.situation.name} | {verdict.wrong.replace('|', '/')} |" for verdict in wrong]
    return "\n".join(lines) + "\n"


def _rows(verdicts: Sequence[Verdict]) -> list[str]:
    total, right, missed, astray = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for verdict in verdicts:
        situation = verdict.situation
        total[situation.subject] += 1
        right[situation.subject] += not verdict.wrong
        missed[situation.subject] += bool(situation.wants) and not set(verdict.called) & set(situation.wants)
        astray.update(set(verdict.called) - {*situation.wants, *situation.may})
    names = sorted(total | astray, key=lambda name: (name != "no tool", name))
    return [f"| {name} | {total[name]} | {right[name]} | {missed[name]} | {astray[name]} |" for name in names]


def _spent(model: Model, usages: Sequence[Usage]) -> str:
    read = sum(usage.prompt for usage in usages)
    said = sum(usage.output for usage in usages)
    tokens = f"{read:,} tokens read and {said:,} written"
    try:
        rates = rates_of(published(model.id))
    except PriceUnusable:
        return tokens
    return f"{tokens}, ${sum(price(usage, rates) for usage in usages):.2f}"


def version() -> str:
    """The prompt's number, and whether its words are those that the number stands for."""
    number, digest = numbered()
    known = tomllib.loads((Path(__file__).parent / "versions.toml").read_text())
    return number if known.get(number) == digest else f"{number} (changed since: {digest})"


def numbered() -> tuple[str, str]:
    """The number in the prompt's first line, and a digest of what stands below it."""
    head, _, words = PROMPT.read_text().partition("\n")
    found = re.search(r"Version (\d+)", head)
    return found[1] if found else "unnumbered", hashlib.sha256(words.encode()).hexdigest()[:16]
