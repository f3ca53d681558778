"""Python in a worker, from the person's message to the file in the chat, and what kills and Stop do to it."""

import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import psutil
import pytest
from django.db.models.functions import Now
from django.utils import timezone

from billing.models import BalanceOperation, Price
from config.aio import in_db
from conversations.models import UserFile
from tests.fakes.anthropic_script import Answer, Block, Says, Use, Words
from tests.faults import books
from tests.faults.conftest import Stage
from tests.faults.workers import Workers
from tests.waiting import eventually
from tools.models import LongRun
from tools.sandbox._folders import home_beside
from tools.sandbox.local import confinement

WHY, _ = confinement()
pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(bool(WHY), reason=f"no sandbox on this machine: {WHY}"),
]

PERSON = 500_001
PRINTED = "and it said"


class Pythonist:
    """Runs the program the test gives, then repeats what the tool told it."""

    def __init__(self) -> None:
        self.code = ""
        self.asked = 0

    def __call__(self, body: Block) -> Answer:
        self.asked += 1
        results = [block for block in body["messages"][-1]["content"] if block["type"] == "tool_result"]
        if results:
            return Says((Words(f"{PRINTED}: {results[0]['content']}"),))
        call = Use("execute_python", {"code": self.code}, id=f"toolu_{self.asked}")
        return Says((Words("I run it."), call))


@pytest.fixture
def pythonist(stage: Stage) -> Pythonist:
    stage.claude.script = Pythonist()
    return stage.claude.script


@pytest.fixture
async def workers(surroundings: dict[str, str], tmp_path) -> AsyncIterator[Workers]:
    async with Workers.of(surroundings, tmp_path) as workers:
        yield workers
    shutil.rmtree(home_beside(Path(surroundings["MEDIA_ROOT"])), ignore_errors=True)


@in_db
def runs() -> list[LongRun]:
    return list(LongRun.objects.order_by("pk"))


async def in_state(state: str, seconds: float = 40) -> LongRun:
    async def look() -> LongRun | None:
        found = [run for run in await runs() if run.state == state]
        return found[0] if found else None

    return await eventually(look, f"a run that is {state}", seconds)


async def label_with(stage: Stage, words: str) -> str:
    def look():
        draft = stage.person(PERSON).draft
        return draft if draft and words in draft["text"] else None

    return (await stage.person(PERSON).wait_until(look, 40))["text"]


def is_told(reply) -> bool:
    return PRINTED in reply.get("text", "")


def sleepers(seconds: int) -> list[psutil.Process]:
    wanted = ["sleep", str(seconds)]
    return [p for p in psutil.process_iter(["cmdline"]) if (p.info["cmdline"] or [])[-2:] == wanted]


async def test_a_question_becomes_a_file_in_the_chat_and_stop_ends_the_next_one(
    stage: Stage, pythonist: Pythonist, workers: Workers
):
    workers.start()
    await stage.bots.start().started()
    anna = stage.person(PERSON)
    pythonist.code = (
        "import time\nprint('half way', flush=True)\ntime.sleep(4)\n"
        "open('numbers.csv', 'w').write('1,2')\nprint(2**100)"
    )
    await anna.send("Compute")
    label = await label_with(stage, "half way")
    assert "🐍 Running Python…" in label
    assert " s · half way" in await label_with(stage, " s · ")
    answer = await anna.wait_for(is_told, 40)
    assert str(2**100) in answer["text"]
    files = [reply["document"]["file_name"] for reply in anna.replies if "document" in reply]
    assert files == ["numbers.csv"]
    assert not any("half way" in reply.get("text", "").partition(PRINTED)[0] for reply in anna.replies)

    pythonist.code = (
        "import subprocess\nopen('late.csv', 'w').write('1')\nprint('on', flush=True)\n"
        "subprocess.run(['sleep', '4711'])"
    )
    await anna.send("Compute for ever")
    await label_with(stage, "· on")
    assert sleepers(4711)
    await anna.stop()
    await in_state(LongRun.State.STOPPED, 5)

    async def gone() -> bool:
        return not sleepers(4711)

    await eventually(gone, "the end of the program", 2)
    assert await books.at_rest(20)
    assert [reply["document"]["file_name"] for reply in anna.replies if "document" in reply] == files
    assert (await books.mismatches(), stage.bots.crashes, workers.crashes) == ([], [], [])


async def test_a_killed_workers_run_is_run_again_and_a_second_kill_is_told(
    stage: Stage, pythonist: Pythonist, workers: Workers
):
    pythonist.code = "import subprocess\nprint('on', flush=True)\nsubprocess.run(['sleep', '4712'])"
    await stage.bots.start().started()
    await stage.person(PERSON).send("Compute")
    for attempt in (1, 2):
        worker = workers.start()
        run = await in_state(LongRun.State.RUNNING)
        await label_with(stage, "on")
        await eventually(_sleeps, "the program", 20)
        worker.kill()
        assert (await in_state(LongRun.State.RUNNING)).attempts == attempt
        await _let_the_lease_run_out(run.pk)
        if attempt == 1:
            await in_state(LongRun.State.WAITING, 10)
            assert not sleepers(4712)
    answer = await stage.person(PERSON).wait_for(is_told, 20)
    assert "interrupted and its outcome is unknown" in answer["text"]
    assert (await runs())[0].state == LongRun.State.INTERRUPTED


async def test_what_a_worker_does_while_the_bot_is_dead_is_used_by_the_next_and_paid_once(
    stage: Stage, pythonist: Pythonist, workers: Workers
):
    await in_db(Price.objects.create)(
        item="sandbox-second:local", per_unit=Decimal("0.001"), source="test", effective_from=timezone.now()
    )
    workers.start()
    pythonist.code = (
        "import time\nopen('once.txt', 'a').write('x')\nprint('on', flush=True)\ntime.sleep(2)\n"
        "print('runs:', len(open('once.txt').read()))"
    )
    bot = await stage.bots.start().started()
    await stage.person(PERSON).send("Compute")
    await label_with(stage, "on")
    bot.kill()
    stage.telegram.drop()
    await stage.wire.cut()
    done = await in_state(LongRun.State.DONE)
    await books.let_leases_run_out()
    await stage.bots.start().started()
    answer = await stage.person(PERSON).wait_for(is_told, 40)
    assert await books.at_rest(20)
    assert "runs: 1" in answer["text"]
    assert [run.attempts for run in await runs()] == [1]
    assert await _tool_charges() == [-done.cost]
    assert await in_db(UserFile.objects.count)() == 1
    assert [len([r for r in stage.person(PERSON).replies if "document" in r]), await books.mismatches()] == [
        1,
        [],
    ]


async def _sleeps() -> bool:
    return bool(sleepers(4712))


@in_db
def _tool_charges() -> list[Decimal]:
    return list(BalanceOperation.objects.filter(kind="tool").values_list("amount", flat=True))


@in_db
def _let_the_lease_run_out(run_id: int) -> None:
    LongRun.objects.filter(pk=run_id).update(lease_until=Now() - timedelta(seconds=1))
