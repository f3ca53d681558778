"""The habits of the house, read from the code itself."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 400
STREAMING_LINES_MAX = 200
STREAMING_PATH = (
    "conversations/loop.py",
    "conversations/contracts.py",
    "conversations/steps.py",
    "conversations/closing.py",
    "conversations/turns.py",
    "telegram_bot/draft.py",
)
# Who may catch every exception: three edges behind which a crash of ours must not reach.
CATCHES_ALL = {
    "a crashed tool: the model reads that it failed, and the turn goes on": {
        ("conversations/tool_runs.py", "run_tool"),
        ("tools/working.py", "_run"),
    },
    "a crashed turn: the person gets a sentence, and the chat goes on": {
        ("telegram_bot/answering.py", "_outcome"),
    },
    "a crashed handler: three tries, then the updates are dead, and the process goes on": {
        ("telegram_bot/inbox.py", "_handle"),
        ("telegram_bot/dispatcher.py", "receive"),
    },
}
BROAD = {"Exception", "BaseException"}


@cache
def sources() -> dict[str, str]:
    """The text of every Python file of ours by its path, without tests and migrations."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    ours = [name for name in listed if not name.startswith("tests/") and "/migrations/" not in name]
    return {name: (ROOT / name).read_text() for name in ours if (ROOT / name).exists()}


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for name, text in sources().items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, kinds):
                yield name, node


def test_the_rules_are_read_from_real_code() -> None:
    assert {"manage.py", "billing/ledger.py", "config/settings.py"} < sources().keys()


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{name}:{node.name}": node.end_lineno - node.lineno + 1
        for name, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef)
        if node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    }
    assert not long


def test_no_file_is_longer_than_a_few_screens() -> None:
    lengths = {name: len(text.splitlines()) for name, text in sources().items()}
    assert not {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX}


@pytest.mark.parametrize("name", STREAMING_PATH)
def test_the_path_from_a_model_to_the_screen_is_in_short_files(name: str) -> None:
    assert len(sources()[name].splitlines()) <= STREAMING_LINES_MAX


def test_nothing_is_global() -> None:
    assert not [(name, node.names) for name, node in nodes(ast.Global)]


def test_every_exception_is_caught_only_where_something_sensible_is_done_with_it() -> None:
    assert len(CATCHES_ALL) == 3
    assert set(_broad_handlers()) == set().union(*CATCHES_ALL.values())


def _broad_handlers() -> Iterator[tuple[str, str]]:
    """File and innermost function of every `except:` and `except Exception` that does not raise again."""
    for name, function in nodes(ast.FunctionDef, ast.AsyncFunctionDef, ast.Module):
        for handler in _own_handlers(function):
            caught = (
                [node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)]
                if handler.type
                else []
            )
            is_broad = handler.type is None or BROAD & set(caught)
            raises_again = isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None
            if is_broad and not raises_again:
                yield name, getattr(function, "name", "(module)")


def _own_handlers(scope: ast.AST) -> Iterator[ast.ExceptHandler]:
    """The handlers of a function that are not of a function inside it."""
    for child in ast.iter_child_nodes(scope):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(child, ast.ExceptHandler):
            yield child
        yield from _own_handlers(child)


# One singleton pattern: a functools.cache getter -------------------------------------------------

# What costs a connection, a thread or a process when it is made.
CLIENTS = re.compile(
    r"(^|\.)(from_url|ConnectionPool|AsyncAnthropic|Anthropic|AsyncOpenAI|OpenAI|AsyncClient|genai\.Client|ThreadPoolExecutor)$"
)


def test_a_client_is_made_once_by_a_cached_getter_or_closed_where_it_is_opened() -> None:
    made, loose = 0, []
    for name, text in sources().items():
        tree = ast.parse(text)
        kept = {id(call) for scope in ast.walk(tree) for call in _kept(scope)}
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and CLIENTS.search(_called(call)):
                made += 1
                if id(call) not in kept:
                    loose.append(f"{name}:{call.lineno} {_called(call)}")
    assert made >= 4, "the pattern above finds nothing any more"
    assert not loose


def _kept(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes inside a cached getter, and what a `with` opens."""
    if isinstance(scope, ast.FunctionDef) and any(
        _called(decorator) in {"cache", "functools.cache"} for decorator in scope.decorator_list
    ):
        yield from ast.walk(scope)
    if isinstance(scope, ast.With | ast.AsyncWith):
        for item in scope.items:
            yield from ast.walk(item.context_expr)


def test_no_module_keeps_a_place_for_something_to_be_filled_in_later() -> None:
    places = [
        (name, target.id)
        for name, text in sources().items()
        for statement in ast.parse(text).body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        if isinstance(statement.value, ast.Constant) and statement.value.value is None
        for target in _targets(statement)
        if not target.id.isupper()
    ]
    assert not places


def _called(node: ast.expr) -> str:
    """The dotted name of what is called or named: `redis.Redis.from_url`."""
    if isinstance(node, ast.Call):
        return _called(node.func)
    if isinstance(node, ast.Attribute):
        return f"{_called(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _targets(statement: ast.Assign | ast.AnnAssign) -> Iterator[ast.Name]:
    found = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return (target for target in found if isinstance(target, ast.Name))


# What is shown is escaped ------------------------------------------------------------------------


def test_nothing_in_the_code_is_declared_safe_to_show() -> None:
    for name, text in sources().items():
        assert not re.search(r"\b(mark_safe|SafeString\(|SafeText\(|allow_tags|html_safe)\b", text), name


def test_nothing_in_a_template_is_declared_safe_to_show() -> None:
    for template in (ROOT / "templates").rglob("*.html"):
        text = template.read_text()
        assert not re.search(r"\|\s*(safe|safeseq)\b|autoescape\s+off", text), template


def test_admin_templates_run_no_script_of_their_own() -> None:
    """The Content-Security-Policy would not let them."""
    for template in (ROOT / "templates" / "admin").rglob("*.html"):
        assert not re.search(r"<script|\son\w+\s*=", template.read_text()), template


def test_nobody_silences_the_log_for_everybody() -> None:
    assert not [name for name, text in sources().items() if "logging.disable(" in text]
