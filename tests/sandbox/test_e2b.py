"""E2B as a place to run code: which machine is whose, what it costs E2B, and everything that can go wrong there."""

import asyncio
from datetime import timedelta

import pytest
import redis as redis_client
from django.db.models.functions import Now

from config.aio import in_db
from conversations.models import Chat, Thread
from tests.fakes.e2b import KEY, E2BStandIn
from tests.sandbox.conftest import OTHER, THREAD, Place
from tools.models import ThreadSandbox
from tools.sandbox.contract import Input, Outcome, SandboxUnavailable
from tools.sandbox.e2b import IDLE_SECONDS, ROOM_SECONDS, client, kill_unused, trouble

pytestmark = pytest.mark.django_db(transaction=True)


def row(thread: int = THREAD) -> ThreadSandbox:
    return ThreadSandbox.objects.get(thread_id=thread)


@in_db
def thread_of_chat(number: int) -> int:
    return Thread.objects.create(chat=Chat.objects.create(telegram_id=number, kind=Chat.Kind.PRIVATE)).pk


# Which machine is whose ------------------------------------------------------------------------------


async def test_a_thread_keeps_its_machine_which_redis_and_postgresql_both_know(
    far: Place, e2b: E2BStandIn, redis: redis_client.Redis
):
    for _ in range(2):
        assert (await far.run("1")).is_anew is False
    (machine,) = e2b.alive
    kept = await in_db(row)()
    assert (kept.sandbox_id, kept.made) == (machine.id, 1)
    assert redis.get(f"sandbox:{THREAD}:id") == machine.id.encode()
    assert machine.metadata["thread"] == str(THREAD)
    await far.run("1", thread=OTHER)
    assert len(e2b.alive) == 2
    assert e2b.refused == []


async def test_without_redis_or_with_an_emptied_one_the_machine_is_still_found(
    far: Place, e2b: E2BStandIn, redis: redis_client.Redis, settings
):
    await far.run("open('kept.txt', 'w').write('x')")
    redis.flushdb()
    assert (await far.run("print(open('kept.txt').read())")).stdout == "x\n"
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert (await far.run("print(open('kept.txt').read())")).stdout == "x\n"
    assert len(e2b.machines) == 1


async def test_many_first_runs_at_once_make_one_machine_and_take_turns_even_without_redis(
    far: Place, e2b: E2BStandIn, settings
):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    code = (
        "import os, time\nassert not os.path.exists('busy')\nopen('busy', 'w').close()\n"
        "time.sleep(0.1)\nos.remove('busy')"
    )
    outcomes = await asyncio.gather(*(far.run(code) for _ in range(4)))
    assert [outcome.ending for outcome in outcomes] == ["done"] * 4
    assert len(e2b.machines) == 1
    kept = await in_db(row)()
    assert (kept.made, kept.lease_owner, kept.lease_until) == (1, "", None)


async def test_a_lease_whose_worker_died_runs_out_and_one_that_lives_is_waited_for(
    far: Place, e2b: E2BStandIn
):
    await far.run("1")
    rows = ThreadSandbox.objects.filter(thread_id=THREAD)
    await in_db(rows.update)(lease_owner="another", lease_until=Now() + timedelta(seconds=60))
    running = asyncio.create_task(far.run("print(1)"))
    _, waiting = await asyncio.wait({running}, timeout=0.6)
    assert waiting
    await in_db(rows.update)(lease_until=Now() - timedelta(seconds=1))
    assert (await running).stdout == "1\n"


async def test_a_maker_that_died_before_it_wrote_the_id_down_is_followed_by_the_same_machine(
    far: Place, e2b: E2BStandIn, redis: redis_client.Redis
):
    await far.run("open('kept.txt', 'w').write('x')")
    await in_db(ThreadSandbox.objects.update)(sandbox_id="", made=0)
    redis.flushdb()
    outcome = await far.run("1")
    assert (len(e2b.machines), outcome.is_anew) == (1, False)


async def test_a_machine_that_is_gone_is_made_anew_and_that_is_said(far: Place, e2b: E2BStandIn):
    await far.run("open('kept.txt', 'w').write('x')")
    e2b.alive[0].die()
    outcome = await far.run("import os; print(os.listdir('.'))")
    assert (outcome.stdout, outcome.is_anew) == ("[]\n", True)
    assert (await in_db(row)()).made == 2
    assert (await far.run("1")).is_anew is False
    assert len(e2b.alive) == 1


async def test_a_new_machine_that_the_proxy_does_not_know_yet_is_waited_for(far: Place, e2b: E2BStandIn):
    e2b.unseen = 2
    assert (await far.run("print(1)")).stdout == "1\n"
    assert len(e2b.machines) == 1


# What it may, and what it costs ----------------------------------------------------------------------


async def test_a_machine_lives_as_long_as_its_run_may_and_is_paused_soon_after(far: Place, e2b: E2BStandIn):
    await far.run("1", seconds=100)
    (machine,) = e2b.alive
    assert machine.lives == [100 + ROOM_SECONDS, IDLE_SECONDS]
    machine.ends_at = 0
    assert [each.state for each in e2b.alive] == ["paused"]
    assert (await far.run("print(1)")).stdout == "1\n"
    assert (machine.pauses, machine.state, len(e2b.machines)) == (1, "running", 1)


async def test_a_run_of_an_hour_asks_for_no_longer_life_than_every_plan_has(far: Place, e2b: E2BStandIn):
    await far.run("1", seconds=3600)
    assert e2b.alive[0].lives[0] == 3600
    assert e2b.refused == []


async def test_it_reaches_pypi_and_nothing_else_and_nobody_reaches_it(far: Place, e2b: E2BStandIn):
    await far.run("1")
    assert e2b.alive[0].network == {
        "allowOut": ["pypi.org", "files.pythonhosted.org"],
        "denyOut": ["0.0.0.0/0"],
        "allowPublicTraffic": False,
    }


async def test_packages_are_installed_first_and_one_that_does_not_exist_fails_the_run(far: Place):
    outcome = await far.run("import tinytable; print(tinytable.WIDTH)", packages=("tinytable==1.0",))
    assert (outcome.ending, outcome.stdout) == ("done", "7\n")
    missing = await far.run("print('never')", packages=("no-such-package",))
    assert (missing.ending, missing.stdout) == ("failed", "")
    assert "No matching distribution found for no-such-package" in missing.stderr


async def test_a_figure_that_is_shown_comes_back_as_a_picture_unless_the_code_saved_it_itself(far: Place):
    draw = "from PIL import Image\nfigure = Image.new('RGB', (40, 30), 'red')\n"
    shown = await far.run(draw + "display(figure)\nfigure")
    assert [(file.name, file.mime) for file in shown.files] == [
        ("chart-1.png", "image/png"),
        ("chart-2.png", "image/png"),
    ]
    assert shown.files[0].content.startswith(b"\x89PNG")
    assert shown.stdout == ""
    saved = await far.run(draw + "figure.save('red.png')\nfigure")
    assert [file.name for file in saved.files] == ["red.png"]


async def test_what_the_last_line_gives_is_told(far: Place):
    assert (await far.run("print('so')\n6 * 7")).stdout == "so\n\n42"


async def test_code_that_prints_without_end_is_stopped(far: Place):
    outcome = await far.run("while True: print('x' * 1_000_000)", seconds=30)
    assert outcome.ending == "output"
    assert len(outcome.stdout) < 40_000


async def test_a_kernel_that_dies_is_out_of_memory_and_the_next_run_works(far: Place):
    assert (await far.run("import os; os.kill(os.getpid(), 9)")).ending == "memory"
    assert (await far.run("print(1)")).stdout == "1\n"


# What E2B may do to us -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "what",
    [
        ("POST /v2/sandboxes", 500),
        ("GET /health", 500),
        ("POST /execute", 500),
        ("POST /contexts", 500),
        ("POST /files", 500),
        ("POST /files", 507),
    ],
)
async def test_a_failure_of_the_machinery_is_not_the_codes_and_the_next_run_works(
    far: Place, e2b: E2BStandIn, what: tuple[str, int]
):
    e2b.failing.append(what)
    with pytest.raises(SandboxUnavailable):
        await far.run("print(1)", inputs=(Input("a", b"1"),))
    assert not e2b.failing
    assert (await far.run("print(1)")).stdout == "1\n"
    assert len(e2b.machines) == 1


async def test_a_busy_api_is_asked_again_by_the_sdk(far: Place, e2b: E2BStandIn):
    e2b.failing.extend([("POST /v2/sandboxes", 503), ("POST /v2/sandboxes", 429)])
    assert (await far.run("print(1)")).stdout == "1\n"
    assert len(e2b.machines) == 1


async def test_a_wrong_key_is_the_machinerys_fault_and_never_told_in_words_of_the_key(
    far: Place, settings, caplog
):
    settings.E2B_API_KEY = "e2b_wrong_canary"
    client.cache_clear()
    with pytest.raises(SandboxUnavailable) as raised:
        await far.run("1")
    assert "canary" not in caplog.text + str(raised.value)


async def test_a_stream_that_is_cut_and_one_that_ends_with_its_machine_are_told_apart_from_the_codes_errors(
    far: Place, e2b: E2BStandIn
):
    e2b.cut = "half way"
    with pytest.raises(SandboxUnavailable):
        await far.run("import time\nprint('half way')\ntime.sleep(60)", seconds=60)
    assert (await far.run("print(1)")).is_anew is False
    running = asyncio.create_task(far.run("while True: print('on')", seconds=60))
    await e2b.until(lambda: "on" in far.lines)
    e2b.alive[0].die()
    with pytest.raises(SandboxUnavailable):
        await running
    assert (await far.run("print(1)")).is_anew is True
    assert len(e2b.alive) == 1


async def test_a_failure_to_clear_away_spoils_no_result(far: Place, e2b: E2BStandIn):
    e2b.failing.extend([("DELETE /contexts", 500), ("POST /sandboxes", 500)])
    outcome: Outcome = await far.run("open('a.txt', 'w').write('x')\nprint(1)")
    assert (outcome.ending, len(outcome.files)) == ("done", 1)
    assert not e2b.failing


async def test_what_a_killed_worker_left_running_ends_with_the_next_run(far: Place, e2b: E2BStandIn):
    await far.run("1")
    machine = await client().AsyncSandbox.connect(e2b.alive[0].id)
    kernel = await machine.create_code_context(cwd="/tmp/outputs")
    heard: list[str] = []
    code = "import time\nprint('on')\nwhile True:\n    try: time.sleep(60)\n    except KeyboardInterrupt: print('ha')"
    running = asyncio.create_task(
        machine.run_code(code, context=kernel, on_stdout=lambda message: heard.append(message.line))
    )
    await e2b.until(lambda: "on" in heard)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert kernel.id in e2b.alive[0].kernels
    await far.run("1")
    assert list(e2b.alive[0].kernels) == ["default"]


async def test_the_doctor_learns_what_keeps_it_from_working(far: Place, e2b: E2BStandIn, settings):
    assert await trouble() == ""
    settings.E2B_API_KEY = "e2b_wrong"
    client.cache_clear()
    assert "refuses E2B_API_KEY" in await trouble()
    settings.E2B_API_URL = "http://127.0.0.1:1"
    client.cache_clear()
    assert "cannot be reached" in await trouble()
    assert e2b.machines == {}


# What nobody uses ------------------------------------------------------------------------------------


async def test_machines_of_erased_and_of_quiet_threads_end_and_no_others(far: Place, e2b: E2BStandIn):
    mine, quiet = await thread_of_chat(77), await thread_of_chat(78)
    erased = THREAD  # there is no such thread
    for thread in (mine, quiet, erased):
        await far.run("1", thread=thread)
    await in_db(ThreadSandbox.objects.filter(thread_id=quiet).update)(used_at=Now() - timedelta(days=8))
    assert await kill_unused() == 2
    assert [machine.metadata["thread"] for machine in e2b.alive] == [str(mine)]
    assert not await in_db(ThreadSandbox.objects.filter(thread_id=erased).exists)()
    assert (await far.run("1", thread=quiet)).is_anew is True
    assert await kill_unused() == 0


async def test_a_machine_that_stands_in_no_row_ends_but_not_a_young_one_or_another_installations(
    far: Place, e2b: E2BStandIn, settings
):
    await far.run("1")
    (orphan,) = e2b.alive
    await in_db(ThreadSandbox.objects.all().delete)()
    assert await kill_unused() == 0
    orphan.started_at -= timedelta(minutes=20)
    settings.SECRET_KEY += "-of-another"
    assert await kill_unused() == 0
    settings.SECRET_KEY = settings.SECRET_KEY.removesuffix("-of-another")
    assert await kill_unused() == 1
    assert e2b.alive == []


async def test_a_machine_in_use_is_not_ended(far: Place, e2b: E2BStandIn):
    running = asyncio.create_task(far.run("import time\nprint('on')\ntime.sleep(60)", seconds=60))
    await e2b.until(lambda: "on" in far.lines)
    assert await kill_unused() == 0  # although there is no such thread
    assert len(e2b.alive) == 1
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await kill_unused() == 1


# The stand-in itself ---------------------------------------------------------------------------------


async def test_the_stand_in_refuses_what_the_real_one_would(e2b: E2BStandIn):
    sdk = client().AsyncSandbox
    with pytest.raises(Exception, match="cannot be greater than 1 hours"):
        await sdk.create(timeout=3601)
    with pytest.raises(Exception, match="not found"):
        await sdk.create(template="no-such-template")
    with pytest.raises(Exception, match="not found"):
        await sdk.connect("no-such-sandbox")
    with pytest.raises(Exception, match="Unauthorized"):
        await sdk.create(api_key=KEY[:-1] + "x")
    machine = await sdk.create()
    assert await machine.is_running()
    await machine.kill()
    assert not await machine.is_running()
    with pytest.raises(Exception, match="was not found"):
        await machine.run_code("1")
