"""execute_python as the loop calls it: what it refuses before it runs, and what the model and the person get."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from django.utils import timezone

from billing.models import Price
from config.aio import in_db
from conversations.contracts import ToolContext, ToolFailed, ToolOutput
from conversations.parts import File
from tools.catalog import offered, tools
from tools.sandbox import sandbox, why_not
from tools.sandbox.local import confinement

WHY, _ = confinement()
confined = pytest.mark.skipif(bool(WHY), reason=f"no sandbox on this machine: {WHY}")
pytestmark = pytest.mark.django_db(transaction=True)

NUMBERS = File("f_2222", "my numbers.csv", "text/csv", 6)


class Shelf:
    """A thread with one file."""

    async def read(self, file_id: str) -> tuple[File, bytes]:
        if file_id != NUMBERS.id:
            raise ToolFailed(f"There is no file {file_id!r}. Valid file ids: {NUMBERS.id}.")
        return NUMBERS, b"1,2,39"

    async def listing(self) -> Sequence[File]:
        return [NUMBERS]


CONTEXT = ToolContext(1, 990_003, "en", Shelf())


async def python(code: str, **arguments: object) -> ToolOutput:
    return await tools()["execute_python"].run(CONTEXT, code=code, **arguments)


@confined
async def test_the_model_reads_what_the_code_printed_and_the_person_gets_its_files():
    output = await python("print(2**100)\nopen('sum.csv', 'w').write('a,b')")
    assert "1267650600228229401496703205376" in output.text
    assert "sum.csv begins:\na,b" in output.text
    assert [(file.name, file.mime, file.content) for file in output.files] == [
        ("sum.csv", "text/csv", b"a,b")
    ]
    assert output.cost == 0


@confined
async def test_a_given_file_is_there_under_its_name():
    output = await python(
        "print(sum(map(int, open('/tmp/inputs/my numbers.csv').read().split(','))))", file_ids=["f_2222"]
    )
    assert "stdout:\n42" in output.text


@confined
async def test_a_second_costs_what_staff_say_and_nothing_otherwise():
    item, rate = "sandbox-second:local", Decimal("0.5")
    await in_db(Price.objects.create)(item=item, per_unit=rate, source="test", effective_from=timezone.now())
    output = await python("import time; time.sleep(0.3)")
    assert output.cost == rate * output.details["milliseconds"] / 1000
    assert Decimal("0.15") <= output.cost < 2


@confined
async def test_code_that_runs_too_long_is_stopped_and_the_model_told_how_to_go_on():
    output = await python("print('on', flush=True)\nwhile True: pass", timeout_seconds=1)
    assert "ran longer than 1 seconds" in output.text
    assert "stdout:\non" in output.text


@confined
@pytest.mark.parametrize(
    ("code", "arguments", "says"),
    [
        ("print(", {}, "does not parse"),
        ("print('\0')", {}, "does not parse"),
        (
            "open('/tmp/inputs/a.csv')",
            {},
            "no file_ids were given, so nothing is there. Files of this conversation: f_2222",
        ),
        ("1", {"file_ids": ["f_9999"]}, "Valid file ids: f_2222"),
        ("1", {"packages": ["numpy; rm -rf /"]}, "is no package"),
        ("1", {"packages": ["--index-url=http://evil"]}, "is no package"),
        ("1", {"packages": ["git+https://evil/x"]}, "is no package"),
        ("1", {"packages": ["../x"]}, "is no package"),
        ("1", {"packages": ["numpy==2.1.0"]}, "Nothing can be installed here"),
        ("1", {"timeout_seconds": 3601}, "less than or equal to 3600"),
        ("", {}, "at least 1 character"),
    ],
)
async def test_what_cannot_work_is_refused_before_it_runs(code: str, arguments: dict[str, object], says: str):
    with pytest.raises(ToolFailed, match=says.replace(".", r"\.")):
        await python(code, **arguments)


def test_without_a_sandbox_python_is_not_offered_and_it_is_said_why(settings):
    settings.SANDBOX = "off"
    sandbox.cache_clear()
    try:
        assert "execute_python" not in offered()
        assert "execute_python" in tools()
        assert why_not() == "SANDBOX is off."
    finally:
        sandbox.cache_clear()


@confined
def test_the_description_says_what_code_will_find_here():
    assert "There is the standard library" in offered()["execute_python"].description
    assert "nothing can be installed" in offered()["execute_python"].description
