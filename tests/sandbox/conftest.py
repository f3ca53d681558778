"""Both kinds of sandbox, each as it really is: bubblewrap on this machine, and E2B behind its wire."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from tests.fakes.e2b import KEY, E2BStandIn
from tests.fakes.e2b_machine import why_not
from tools.sandbox import _folders
from tools.sandbox.contract import Input, Outcome, Sandbox
from tools.sandbox.e2b import E2B, client
from tools.sandbox.local import Local, confinement

THREAD, OTHER = 990_001, 990_002


@dataclass
class Place:
    """A sandbox and how tests run code in it."""

    sandbox: Sandbox
    name: str
    lines: list[str] = field(default_factory=list)  # what was told while it ran

    async def run(
        self,
        code: str,
        *,
        thread: int = THREAD,
        seconds: float = 8,
        inputs: tuple[Input, ...] = (),
        packages: tuple[str, ...] = (),
    ) -> Outcome:
        return await self.sandbox.run(
            thread, code, inputs=inputs, packages=packages, seconds=seconds, tell=self.lines.append
        )


@pytest.fixture
async def e2b(settings, transactional_db) -> AsyncIterator[E2BStandIn]:
    """E2B's wire, and the settings that lead there."""
    if why := why_not():
        pytest.skip(f"no machines on this machine: {why}")
    async with E2BStandIn.started() as stand_in:
        settings.E2B_API_KEY = KEY
        settings.E2B_API_URL = settings.E2B_SANDBOX_URL = stand_in.url
        client.cache_clear()
        yield stand_in
        client.cache_clear()


@pytest.fixture
async def far(e2b: E2BStandIn) -> Place:
    return Place(E2B(), "e2b")


@pytest.fixture
async def near() -> AsyncIterator[Place]:
    why, _ = confinement()
    if why:
        pytest.skip(f"no sandbox on this machine: {why}")
    _clear()
    yield Place(Local(), "local")
    _clear()


@pytest.fixture(params=["near", "far"])
def place(request: pytest.FixtureRequest) -> Place:
    """Each of them in turn."""
    return request.getfixturevalue(request.param)


def _clear() -> None:
    for thread in (THREAD, OTHER):
        shutil.rmtree(_folders.home() / str(thread), ignore_errors=True)
