"""execute_python: a program of the model's own, run in the thread's sandbox."""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from typing import Annotated, Any, TypedDict

from django.utils.translation import gettext_lazy as _
from pydantic import Field

from billing.prices import unit_price
from billing.pricing import NANO
from config.aio import in_db
from conversations.contracts import Tool, ToolContext, ToolFailed, ToolOutput
from tools.base import tool
from tools.sandbox import sandbox, why_not
from tools.sandbox.contract import (
    INPUTS,
    Ending,
    Input,
    Outcome,
    Sandbox,
    SandboxUnavailable,
    Stopped,
    safe_name,
    shortened,
)

CODE_MAX = 100_000  # characters
FILES_MAX = 20
PACKAGES_MAX = 20
INPUTS_MAX = 100 * 1024 * 1024  # bytes of all inputs together
SECONDS_MAX = 3600
ROOM_SECONDS = 60  # beside the code's own time: for its files, and the sandbox's start
PREVIEW_MAX = 600  # characters of a text file that the model is shown
PREVIEWED = ("text/", "application/json")
# PEP 508's name, extras and one version: no address, no option, no path, nothing for a shell.
PACKAGE = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?(?:\[[A-Za-z0-9_,-]{1,64}\])?"
    r"(?:(?:==|>=|<=|~=|!=|<|>)[0-9][A-Za-z0-9.*+!-]{0,31})?"
)
ANEW = (
    "The sandbox of this conversation was gone, so this ran in a new one: what earlier runs had written or "
    "installed is not there."
)
INPUT_READ = re.compile(re.escape(INPUTS) + r"/([^'\"\n{}*]+)")
ENDINGS: dict[Ending, str] = {
    "time": "It was stopped: it ran longer than {seconds} seconds. Give a larger timeout_seconds, or do less.",
    "memory": "It was stopped: it used too much memory. Work on smaller pieces.",
    "disk": "It was stopped: it wrote too much to disk, and what it wrote is gone. Write less.",
    "processes": "It was stopped: it started too many processes or threads.",
    "output": "It was stopped: it printed too much. Print less, and write long results to a file.",
}


def most(arguments: Mapping[str, Any]) -> Decimal:
    """Dollars a run may cost: every second it is allowed."""
    place = sandbox()
    rate = unit_price(place.price_item, unpriced=place.unpriced) if place else Decimal(0)
    seconds = int(arguments["timeout_seconds"])
    return (rate * seconds).quantize(NANO, rounding=ROUND_CEILING)


@tool(
    label=_("Running Python"),
    icon="🐍",
    seconds_max=SECONDS_MAX + ROOM_SECONDS,
    runs_in="worker",
    price_max=most,
)
async def execute_python(
    context: ToolContext,
    code: Annotated[
        str,
        Field(
            min_length=1,
            max_length=CODE_MAX,
            description="A whole Python program. print() what you want to see.",
        ),
    ],
    file_ids: Annotated[
        list[str],
        Field(
            max_length=FILES_MAX,
            description=f"Files of this conversation the code reads, e.g. f_7k2q; each is at {INPUTS}/<its name>.",
        ),
    ] = [],  # noqa: B006  copied by pydantic
    packages: Annotated[
        list[str],
        Field(
            max_length=PACKAGES_MAX,
            description="Packages to install from PyPI first, where that is possible.",
        ),
    ] = [],  # noqa: B006
    timeout_seconds: Annotated[int, Field(ge=1, le=SECONDS_MAX, description="How long it may run.")] = 120,
) -> ToolOutput:
    """Run a Python program in this conversation's own sandbox: exact arithmetic, data, conversions, charts.

    Only what it prints comes back to you, with tracebacks. Each file it writes to /tmp/outputs, its
    working folder, goes to the person and gets an id; /tmp/outputs is kept for the next run, variables
    are not. It has no network and sees nothing of the bot.
    """
    place = sandbox()
    if place is None:
        raise ToolFailed(f"Python cannot be run here. {why_not()} Answer without it.")
    check(code, packages, place)
    inputs = await _inputs(context, code, file_ids)
    try:
        outcome = await place.run(
            context.thread_id,
            code,
            inputs=inputs,
            packages=packages,
            seconds=timeout_seconds,
            tell=context.tell,
        )
    except SandboxUnavailable as error:
        raise ToolFailed(
            "The sandbox itself failed; the code is not at fault and may work later. Say so, and do not try now."
        ) from error
    except Stopped as stopped:
        raise ToolFailed("It was stopped.", **await _charge(place, stopped.seconds)) from stopped
    # Never above the ceiling that the hold covers: ending a run takes a moment of its own.
    charge = await _charge(place, min(outcome.seconds, timeout_seconds))
    return ToolOutput(told(outcome, timeout_seconds), files=outcome.files, **charge)


class _Charge(TypedDict):
    cost: Decimal
    details: Mapping[str, Any]


async def _charge(place: Sandbox, seconds: float) -> _Charge:
    """What so many seconds cost, to the millisecond."""
    rate = await in_db(unit_price)(place.price_item, unpriced=place.unpriced)
    milliseconds = round(seconds * 1000)
    cost = (rate * milliseconds / 1000).quantize(NANO, rounding=ROUND_CEILING)
    return _Charge(
        cost=cost, details={"item": place.price_item, "milliseconds": milliseconds} if cost else {}
    )


def check(code: str, packages: Sequence[str], place: Sandbox) -> None:
    """Refuse before anything runs what cannot work. Raises ToolFailed."""
    try:
        ast.parse(code)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise ToolFailed(f"The code does not parse: {error}{f' (line {line})' if line else ''}.") from error
    except (RecursionError, MemoryError) as error:
        raise ToolFailed("The code is nested too deeply. Write it flatter.") from error
    for package in packages:
        if not PACKAGE.fullmatch(package):
            raise ToolFailed(
                f"{package[:80]!r} is no package: give a name, or a name and a version: numpy==2.1.0."
            )
    if packages and not place.takes_packages:
        there = ", ".join(place.modules) or "the standard library only"
        raise ToolFailed(f"Nothing can be installed here: the sandbox has no network. There is: {there}.")


async def _inputs(context: ToolContext, code: str, file_ids: Sequence[str]) -> list[Input]:
    """The files the code was given, each under a name of its own. Raises ToolFailed."""
    inputs: dict[str, Input] = {}
    for file_id in dict.fromkeys(file_ids):
        file, content = await context.files.read(file_id)
        name = safe_name(file.name)
        name = f"{file_id}-{name}" if name in inputs else name
        inputs[name] = Input(name, content)
    if sum(len(given.content) for given in inputs.values()) > INPUTS_MAX:
        raise ToolFailed(f"These files are larger than {INPUTS_MAX} bytes together. Give fewer.")
    if not inputs and (read := INPUT_READ.search(code)):
        known = ", ".join(f"{file.id} ({file.name})" for file in await context.files.listing())
        raise ToolFailed(
            f"The code reads {read[0].strip()}, but no file_ids were given, so nothing is there. "
            f"Files of this conversation: {known or 'none yet'}."
        )
    return list(inputs.values())


def told(outcome: Outcome, seconds: int) -> str:
    """What came of a run, as the model reads it."""
    lines = [ANEW] if outcome.is_anew else []
    if outcome.ending in ENDINGS:
        lines.append(ENDINGS[outcome.ending].format(seconds=seconds))
    elif outcome.ending == "failed":
        lines.append("The code failed.")
    else:
        lines.append("The code ran to its end.")
    for name, text in (("stdout", outcome.stdout), ("stderr", outcome.stderr)):
        if text.strip():
            lines.append(f"{name}:\n{text.rstrip()}")
    if not outcome.stdout.strip() and outcome.ending == "done" and not outcome.files:
        lines.append("It printed nothing and wrote no file; print() what you want to see.")
    for file in outcome.files:
        if file.mime.startswith(PREVIEWED):
            preview = shortened(file.content[: 4 * PREVIEW_MAX].decode(errors="replace"), PREVIEW_MAX)
            lines.append(f"{file.name} begins:\n{preview.rstrip()}")
    lines += [f"Not sent: {line}." for line in outcome.left_out]
    return "\n\n".join(lines)


def here() -> Tool | None:
    """The tool as it is on this machine: its description says what code will find there."""
    place = sandbox()
    if place is None:
        return None
    there = (
        f"the standard library, {', '.join(place.modules)}" if place.modules else "the standard library only"
    )
    may = "packages can be installed" if place.takes_packages else "nothing can be installed"
    words = f"{execute_python.description}\n\nThere is {there}; {may}. {place.manner}"
    return replace(execute_python, description=words.rstrip())
