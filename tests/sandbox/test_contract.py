"""What holds for every sandbox, whoever runs it."""

import asyncio

import psutil
import pytest

from tests.sandbox.conftest import OTHER, Place
from tests.waiting import eventually
from tools.sandbox.contract import OUTPUT_FILES_MAX, Input, Stopped

pytestmark = pytest.mark.django_db(transaction=True)


async def test_what_code_prints_comes_back_and_its_last_line_is_told_while_it_runs(place: Place):
    outcome = await place.run(
        "import sys, time\nprint('half way', flush=True)\ntime.sleep(0.3)\n"
        "print('to err', file=sys.stderr)\nprint(2**100)"
    )
    assert outcome.ending == "done"
    assert outcome.stdout == "half way\n1267650600228229401496703205376\n"
    assert outcome.stderr.strip() == "to err"
    assert "half way" in place.lines
    assert 0.3 < outcome.seconds < 8


async def test_a_threads_files_stay_for_its_next_run_and_no_other_thread_sees_them(place: Place):
    await place.run("open('/tmp/outputs/kept.txt', 'w').write('mine')")
    assert (await place.run("print(open('kept.txt').read())")).stdout == "mine\n"
    seen = await place.run("import os; print(os.listdir('/tmp/outputs'))", thread=OTHER)
    assert seen.stdout == "[]\n"


async def test_variables_do_not_stay(place: Place):
    await place.run("x = 1")
    outcome = await place.run("print(x)")
    assert outcome.ending == "failed"
    assert "NameError" in outcome.stderr


async def test_only_new_and_changed_files_come_back_and_no_link_is_followed(place: Place):
    first = await place.run("open('a.txt', 'w').write('1'); open('b.csv', 'w').write('x,y');")
    assert [(file.name, file.mime, file.content) for file in first.files] == [
        ("a.txt", "text/plain", b"1"),
        ("b.csv", "text/csv", b"x,y"),
    ]
    second = await place.run(
        "import os; open('a.txt', 'w').write('22'); os.symlink('/etc/passwd', 'stolen.txt')"
    )
    assert [(file.name, file.content) for file in second.files] == [("a.txt", b"22")]


async def test_too_many_files_and_empty_ones_are_named_and_left_out(place: Place):
    outcome = await place.run(
        "import os; os.makedirs('deep/down')\nopen('deep/down/0.txt', 'w').write('x')\nopen('a', 'w').close()\n"
        f"for n in range({OUTPUT_FILES_MAX}):\n    open(f'n{{n}}.txt', 'w').write('x')"
    )
    assert len(outcome.files) == OUTPUT_FILES_MAX
    assert outcome.files[0].name == "0.txt"
    assert [line.partition(":")[0] for line in outcome.left_out] == ["a", "n9.txt"]


async def test_inputs_are_read_by_their_names_which_are_no_paths(place: Place):
    given = (Input("../../data 1.csv", b"7"), Input("/etc/passwd", b"8"), Input("отчёт.csv", b"9"))
    outcome = await place.run(
        "import os; print(sorted(os.listdir('/tmp/inputs'))); print(open('/tmp/inputs/data 1.csv').read())",
        inputs=given,
    )
    assert outcome.stdout == "['data 1.csv', 'passwd', 'отчёт.csv']\n7\n"


async def test_its_own_error_is_the_codes_with_the_line_and_without_colours(place: Place):
    failed = await place.run("x = 1\nraise ValueError('why')")
    assert failed.ending == "failed"
    assert "line 2" in failed.stderr
    assert failed.stderr.rstrip().endswith("ValueError: why")
    assert "\x1b" not in failed.stderr


async def test_a_program_that_leaves_early_without_an_error_is_done(place: Place):
    assert (await place.run("import sys\nprint('x')\nsys.exit(0)")).ending == "done"
    assert (await place.run("import sys\nsys.exit('no data')")).ending == "failed"


async def test_long_output_keeps_both_ends(place: Place):
    long = await place.run("print('first'); print('x' * 300_000); print('last')")
    assert long.stdout.startswith("first")
    assert long.stdout.rstrip().endswith("last")
    assert len(long.stdout) < 40_000


async def test_code_that_runs_too_long_is_ended_with_what_it_printed_and_the_next_run_works(place: Place):
    outcome = await place.run("print('on', flush=True)\nwhile True: pass", seconds=1)
    assert (outcome.ending, outcome.stdout.strip()) == ("time", "on")
    assert 1 <= outcome.seconds < 3
    assert (await place.run("print('again')")).stdout == "again\n"


async def test_runs_of_one_thread_come_one_after_the_other(place: Place):
    code = "import time\nprint(time.time())\ntime.sleep(0.5)\nprint(time.time())"
    spans = await asyncio.gather(place.run(code), place.run(code))
    first, second = sorted(tuple(map(float, outcome.stdout.split())) for outcome in spans)
    assert first[1] <= second[0]


async def test_cancelled_it_is_gone_at_once_even_where_it_will_not_be_interrupted(place: Place):
    code = (
        "import subprocess, time\nsubprocess.Popen(['sleep', '987'])\nprint('on', flush=True)\n"
        "while True:\n    try: time.sleep(60)\n    except KeyboardInterrupt: pass"
    )
    running = asyncio.create_task(place.run(code, seconds=60))

    async def is_on() -> bool:
        return "on" in place.lines

    await eventually(is_on, "the program")
    assert _sleepers()
    running.cancel()
    with pytest.raises(Stopped) as stopped:
        await running
    assert 0 < stopped.value.seconds < 10
    _gone, alive = psutil.wait_procs(_sleepers(), timeout=2)
    assert alive == []


def _sleepers() -> list[psutil.Process]:
    found = psutil.process_iter(["cmdline"])
    return [process for process in found if (process.info["cmdline"] or [])[-2:] == ["sleep", "987"]]
