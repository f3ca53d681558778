"""The catalog: dropping a file in is all it takes."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conversations.contracts import Tool
from tools.catalog import tools
from tools.checks import the_catalog_can_be_read

ROOT = Path(__file__).resolve().parents[2]
NEW_TOOL = '''
from typing import Annotated

from pydantic import Field

from conversations.contracts import ToolContext, ToolOutput
from tools.base import tool


@tool(name="{name}", label="Echoing", icon="🦜", seconds_max=1)
async def echo(context: ToolContext, text: Annotated[str, Field(description="What to say.")]) -> ToolOutput:
    """Say it again."""
    return ToolOutput(text)
'''
LIST = """
import json
import django
django.setup()
from tools.catalog import tools
print(json.dumps({name: tool.schema.get("required", []) for name, tool in tools().items()}))
"""
CHECK = """
import django
django.setup()
from tools.checks import the_catalog_can_be_read
print(the_catalog_can_be_read())
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the packages that the catalog imports."""
    for package in ("accounts", "billing", "config", "conversations", "telegram_bot", "tools"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def listed(copy: Path) -> subprocess.CompletedProcess[str]:
    return run(LIST, copy)


def run(script: str, copy: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=copy,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(copy),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "ENV_FILE": os.devnull,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_file_dropped_into_the_catalog_is_a_tool(copy: Path) -> None:
    before = json.loads(listed(copy).stdout)
    (copy / "tools/catalog/echo.py").write_text(NEW_TOOL.format(name="echo"))
    assert json.loads(listed(copy).stdout) == before | {"echo": ["text"]}


def test_the_page_about_adding_a_tool_gives_a_working_tool_and_its_test_in_a_file_each(copy: Path) -> None:
    """Followed to the letter by somebody who edits nothing else."""
    page = (ROOT / "docs/adding-a-tool.md").read_text()
    written = re.findall(r"^`([\w/]+\.py)`:\n\n```python\n(.*?)```", page, re.DOTALL | re.MULTILINE)
    assert [name for name, _ in written] == [
        "tools/catalog/count_words.py",
        "tests/tools/test_count_words.py",
    ]
    for part in ("tests", "locale", "templates"):
        shutil.copytree(
            ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
        )
    for name in ("pyproject.toml", ".env.example", "manage.py"):
        shutil.copy(ROOT / name, copy)
    for name, text in written:
        (copy / name).write_text(text)
    assert json.loads(listed(copy).stdout)["count_words"] == ["file_id"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", written[1][0], "tests/tools/test_catalog.py", "-k", "count_words"],
        cwd=copy,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout  # its own three, and what the catalog asks of every tool


def test_a_module_with_an_underscore_is_no_tool(copy: Path) -> None:
    (copy / "tools/catalog/_echo.py").write_text(NEW_TOOL.format(name="echo"))
    assert "echo" not in json.loads(listed(copy).stdout)


def test_two_tools_of_one_name_are_refused(copy: Path) -> None:
    (copy / "tools/catalog/echo.py").write_text(NEW_TOOL.format(name="render_latex"))
    done = listed(copy)
    assert done.returncode != 0
    assert "two tools are named render_latex" in done.stderr


def test_the_system_check_names_the_module_that_breaks_the_catalog(copy: Path) -> None:
    (copy / "tools/catalog/echo.py").write_text("from tools.base import no_such_thing\n")
    assert "no_such_thing" in run(CHECK, copy).stdout
    assert the_catalog_can_be_read() == []


def test_a_tool_imported_by_another_module_is_not_a_second_one(copy: Path) -> None:
    (copy / "tools/catalog/a_echo.py").write_text(NEW_TOOL.format(name="echo"))
    (copy / "tools/catalog/z_echo.py").write_text("from tools.catalog.a_echo import echo\n")
    assert list(json.loads(listed(copy).stdout)) == sorted(["echo", *tools()])


def test_the_catalog_is_in_order_frozen_and_made_once() -> None:
    assert list(tools()) == sorted(tools())
    assert tools() is tools()
    with pytest.raises(TypeError):
        tools()["x"] = None  # type: ignore[index]


@pytest.mark.parametrize("tool", tools().values(), ids=lambda tool: tool.name)
def test_every_tool_says_what_it_is_and_keeps_its_file(tool: Tool) -> None:
    assert (ROOT / "tools" / "catalog" / f"{tool.name}.py").exists()
    assert str(tool.label)
    assert tool.icon
    assert tool.seconds_max > 0
    json.dumps(tool.schema)
