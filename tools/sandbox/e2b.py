"""Python at E2B: a small machine of its own for each thread, kept between runs and paused when idle.

Code runs as a cell of a notebook in a fresh kernel of the thread's machine. What the machine or its
network does wrong is SandboxUnavailable; what the code does wrong is in the Outcome.
"""

import asyncio
import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import structlog
from django.conf import settings
from django.utils.crypto import salted_hmac
from e2b import SandboxQuery
from e2b.exceptions import AuthenticationException, GuestUnresponsiveException, SandboxNotFoundException
from e2b_code_interpreter import E2B as Client  # type: ignore[import-untyped]
from e2b_code_interpreter import AsyncSandbox

from config.aio import in_db
from tools.sandbox import _cells as cells
from tools.sandbox import _claims as claims
from tools.sandbox._cells import FAILURES, last_words
from tools.sandbox._claims import Claim, Kept
from tools.sandbox.contract import Input, Outcome, SandboxUnavailable

LIFE_MAX = 3600  # seconds a sandbox may live on end; E2B's free plan allows no more
ROOM_SECONDS = 60  # of its life beside the code's own time: for files, and a kernel to start
IDLE_SECONDS = 60  # after a run it waits so long for the next one, then E2B pauses it and bills nothing
AWAKE_SECONDS = 15  # a new sandbox must answer within
TRIES_MAX = 3  # sandboxes that may turn out to be gone before one is found or made
ORPHAN_AFTER = timedelta(minutes=15)  # a sandbox that stands in no row by then never will
ANY = "0.0.0.0/0"
# Packages come from PyPI; everything else the code could tell something to is closed.
OPEN_HOSTS = ["pypi.org", "files.pythonhosted.org"]

log = structlog.get_logger(__name__)


class E2B:
    """The sandboxes of E2B."""

    takes_packages = True
    price_item = "sandbox-second:e2b"
    unpriced = None
    company = "E2B"
    modules = ("numpy", "matplotlib", "pandas", "scipy", "sympy", "PIL", "openpyxl", "sklearn")
    manner = (
        "It runs as a cell of a notebook: await at the top level instead of asyncio.run; figures that it shows "
        "go to the person, too."
    )

    async def run(
        self,
        thread_id: int,
        code: str,
        *,
        inputs: Sequence[Input],
        packages: Sequence[str],
        seconds: float,
        tell: Callable[[str], None],
    ) -> Outcome:
        """Run code in the thread's machine, waking or making it first. Raises SandboxUnavailable."""
        seconds = min(seconds, LIFE_MAX - ROOM_SECONDS)
        async with claims.claimed(thread_id) as claim:
            with _told_apart(thread_id):
                machine, is_anew = await _awake(claim, life=math.ceil(seconds) + ROOM_SECONDS)
                try:
                    await cells.end_leftovers(machine)
                    return await cells.run(machine, code, inputs, packages, seconds, tell, is_anew=is_anew)
                finally:
                    if await claim.holds():
                        await last_words("rest", machine.set_timeout(IDLE_SECONDS))


@functools.cache
def client() -> Client:
    return Client(
        api_key=settings.E2B_API_KEY,
        domain=settings.E2B_DOMAIN,
        api_url=settings.E2B_API_URL or None,
        sandbox_url=settings.E2B_SANDBOX_URL or None,
        debug=False,
    )


def installation() -> str:
    """A name for the sandboxes of this installation: others may use the same key."""
    return salted_hmac("tools.sandbox.e2b", "installation").hexdigest()[:16]


# The machine -----------------------------------------------------------------------------------------


async def _awake(claim: Claim, *, life: int) -> tuple[AsyncSandbox, bool]:
    """The thread's machine, running, and whether it had another one that is gone."""
    kept = await claim.find()
    for _ in range(TRIES_MAX):
        try:
            if kept.sandbox_id:
                return await _connect(kept.sandbox_id, life), False
            machine = await _make(claim, kept, life)
            if await _answers(machine):
                return machine, kept.had_one
            kept = Kept(machine.sandbox_id, kept.creation_key, had_one=kept.had_one)
        except SandboxNotFoundException:
            log.info("sandbox.gone", thread=claim.thread_id, sandbox=kept.sandbox_id)
        kept = await claim.let_go(kept)
    raise SandboxUnavailable("no sandbox stays")


async def _connect(sandbox_id: str, life: int) -> AsyncSandbox:
    try:
        return await client().AsyncSandbox.connect(sandbox_id, timeout=life)
    except GuestUnresponsiveException:  # it was paused while it hung: its files are still good
        return await client().AsyncSandbox.connect(sandbox_id, timeout=life, on_resume="reboot")


async def _make(claim: Claim, kept: Kept, life: int) -> AsyncSandbox:
    machine = await client().AsyncSandbox.create(
        timeout=life,
        metadata={"starling": installation(), "thread": str(claim.thread_id)},
        network={"allow_out": OPEN_HOSTS, "deny_out": [ANY], "allow_public_traffic": False},
        lifecycle={"on_timeout": "pause"},
        idempotency_key=kept.creation_key,
    )
    await claim.keep(kept.creation_key, machine.sandbox_id)
    return machine


async def _answers(machine: AsyncSandbox) -> bool:
    """A new machine takes a moment until E2B's proxy knows it: until then it looks like one that is gone."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(AWAKE_SECONDS):
            while not await machine.is_running():  # noqa: ASYNC110  nobody tells us
                await asyncio.sleep(0.2)
            return True
    return False


@contextlib.contextmanager
def _told_apart(thread_id: int) -> Iterator[None]:
    """Whatever the SDK raises in here is no fault of the code."""
    try:
        yield
    except FAILURES as error:
        log.warning("sandbox.failed", thread=thread_id, error=type(error).__name__, said=str(error)[:200])
        raise SandboxUnavailable(type(error).__name__) from error


async def trouble() -> str:
    """Why nothing can be run, in words for whoever runs this; nothing when it can. Makes no machine."""
    try:
        await client().AsyncSandbox.list(limit=1).next_items()
    except AuthenticationException:
        return "it refuses E2B_API_KEY. Make another one at e2b.dev/dashboard."
    except FAILURES as error:
        return f"it cannot be reached ({type(error).__name__}). Look at E2B_DOMAIN and E2B_API_URL, or try later."
    return ""


# What nobody uses ------------------------------------------------------------------------------------


async def kill_unused() -> int:
    """End the sandboxes of erased and of quiet threads, and those that belong to none; returns how many."""
    count = 0
    try:
        for thread_id in await in_db(claims.unused)():
            async with claims.claimed_to_end(thread_id) as claim:
                if claim is None:
                    continue
                if sandbox_id := await in_db(claims.id_of)(thread_id):
                    count += await client().AsyncSandbox.kill(sandbox_id)
                await claim.end()
        count += await _kill_orphans()
    except FAILURES as error:
        log.warning("sandbox.not_tidied", error=type(error).__name__, said=str(error)[:200])
    return count


async def _kill_orphans() -> int:
    """A sandbox whose maker died before it was written down would wait for ever."""
    count = 0
    pages = client().AsyncSandbox.list(query=SandboxQuery(metadata={"starling": installation()}))
    while pages.has_next:
        listed = await pages.next_items()
        known = await in_db(claims.known)([each.sandbox_id for each in listed])
        for each in listed:
            if each.sandbox_id not in known and each.started_at < datetime.now(UTC) - ORPHAN_AFTER:
                count += await client().AsyncSandbox.kill(each.sandbox_id)
    return count
