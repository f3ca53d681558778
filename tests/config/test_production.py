"""Dockerfile and docker-compose.yml agree with the Procfile, the example of settings and the requirements."""

import ast
import importlib.metadata
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from honcho.environ import parse_procfile

from tests.config.compose import parse

ROOT = Path(__file__).resolve().parents[2]
# Roles that are for one's own machine, and the modules that only `make run` and the tests load.
AT_HOME_ROLES = {"playground"}
AT_HOME = {"config/local.py", "config/programs.py", "config/run.py", "config/supervisor.py"}
APPS = ("config", "accounts", "billing", "conversations", "tools", "telegram_bot")
STATEFUL = {"postgres", "redis"}
ONCE = {"migrate"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return parse((ROOT / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def roles() -> dict[str, str]:
    processes = dict(parse_procfile((ROOT / "Procfile").read_text()).processes)
    return {name: command for name, command in processes.items() if name not in AT_HOME_ROLES}


@pytest.fixture(scope="module")
def example() -> set[str]:
    return set(re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def plain(command: str) -> str:
    """A command of the compose file as a shell of the Procfile would read it."""
    shell = re.fullmatch(r"sh -c 'exec (.*)'", command)
    return (shell.group(1) if shell else command).replace("$$", "$")


def test_each_role_is_a_service_that_runs_the_same_command(compose: Any, roles: dict[str, str]) -> None:
    services = set(compose["services"])
    assert services == set(roles) | STATEFUL | ONCE
    assert {name: plain(compose["services"][name]["command"]) for name in roles} == roles


def test_the_image_runs_the_web_role_when_nothing_else_is_said(roles: dict[str, str]) -> None:
    command = re.findall(r"^CMD (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert [json.loads(line) for line in command] == [["sh", "-c", f"exec {roles['web']}"]]


def test_the_image_installs_the_pinned_packages_on_a_python_that_may_run_them() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    python = re.findall(r"^FROM python:(\d+)\.(\d+)", dockerfile, re.MULTILINE)[0]
    least = re.findall(r"(\d+)\.(\d+)", project["requires-python"])[0]
    assert tuple(map(int, python)) >= tuple(map(int, least))
    assert "pip install --requirement requirements.txt" in dockerfile
    assert "requirements-dev" not in dockerfile


def test_every_variable_of_the_compose_file_is_one_the_settings_read(compose: Any, example: set[str]) -> None:
    for name in compose["services"].keys() - STATEFUL:
        variables = {variable.removesuffix("_FILE") for variable in compose["services"][name]["environment"]}
        assert variables <= example, name
    named = set(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", (ROOT / "docker-compose.yml").read_text()))
    assert named <= example


def test_secrets_come_as_files_that_the_service_is_given(compose: Any) -> None:
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            assert not re.search(r"(TOKEN|KEY|PASSWORD|DATABASE_URL)$", variable), (name, variable)
            if variable.endswith("_FILE"):
                secret = str(value).removeprefix("/run/secrets/")
                assert secret in service["secrets"], (name, variable)
                assert secret in compose["secrets"], (name, variable)


def test_only_web_is_published_and_to_this_machine_alone(compose: Any) -> None:
    published = {
        name: service["ports"] for name, service in compose["services"].items() if "ports" in service
    }
    assert published.keys() == {"web"}
    assert all(port.startswith("127.0.0.1:") for port in published["web"])


def test_redis_keeps_events_over_a_restart_and_evicts_only_what_has_a_ttl(compose: Any) -> None:
    command = compose["services"]["redis"]["command"]
    assert "--appendonly yes" in command
    assert "--maxmemory-policy volatile-lru" in command


def test_the_roles_run_without_privileges_and_come_back_after_a_crash(
    compose: Any, roles: dict[str, str]
) -> None:
    user = re.findall(r"^USER (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert user == ["starling"]
    for name in roles:
        service = compose["services"][name]
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["restart"] == "unless-stopped", name


def test_the_roles_wait_for_the_migrations_and_every_server_says_how_it_is(
    compose: Any, roles: dict[str, str]
) -> None:
    for name in roles:
        assert (
            compose["services"][name]["depends_on"]["migrate"]["condition"]
            == "service_completed_successfully"
        )
    checked = {name for name, service in compose["services"].items() if "healthcheck" in service}
    assert checked >= STATEFUL | {"web", "worker", "beat"}


def test_no_secret_and_no_data_enter_the_image() -> None:
    ignored = set((ROOT / ".dockerignore").read_text().split())
    assert {".env", ".env.*", ".git", ".local", ".venv", "secrets"} <= ignored


def test_what_the_roles_import_is_what_requirements_txt_installs() -> None:
    pinned = re.findall(r"^([A-Za-z0-9_.-]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    installed = closure({normal(name) for name in pinned})
    owners = importlib.metadata.packages_distributions()
    missing = {
        f"{path}: {module}"
        for path in role_modules()
        for module in imported(ROOT / path)
        if module in owners and not any(normal(owner) in installed for owner in owners[module])
    }
    assert missing == set()


def role_modules() -> list[str]:
    paths = (path.relative_to(ROOT) for app in APPS for path in (ROOT / app).rglob("*.py"))
    return [str(path) for path in paths if str(path) not in AT_HOME]


def imported(path: Path) -> set[str]:
    """The top-level packages a module imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names - set(APPS)


def closure(names: set[str]) -> set[str]:
    """The distributions and all they need, without their extras."""
    found: set[str] = set()
    while names:
        name = names.pop()
        found.add(name)
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        names |= {
            normal(re.split(r"[^A-Za-z0-9_.-]", need)[0]) for need in needs if "extra ==" not in need
        } - found
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
