"""The staff desk in a real browser, served as in production: what its tests share."""

import subprocess
import sys
from collections.abc import Iterator

import httpx2 as httpx
import pytest
from django.contrib.auth.models import Group
from django.db import connection
from playwright.sync_api import Browser, BrowserContext, Page

from accounts.models import Staff
from tests.browser.test_main_job import browser  # noqa: F401  the fixture
from tests.config.processes import eventually, free_port

START_SECONDS_MAX = 60
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
PASSWORD = "a long enough one"


@pytest.fixture(autouse=True)
def rows_beside_the_browser(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:  # noqa: F811
    """Playwright keeps an event loop in this thread: Django would take it for a mistake, and opens a
    connection of its own in it, which nobody else closes."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    yield
    connection.close()


@pytest.fixture
def web(process_environment: dict[str, str]) -> Iterator[str]:
    """The web role, as Procfile starts it."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "config.asgi:application",
        "--port",
        str(port),
        "--lifespan",
        "off",
    ]
    process = subprocess.Popen(command, env=process_environment, stderr=subprocess.DEVNULL)
    try:
        assert eventually(lambda: _answers(port), START_SECONDS_MAX)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/admin/login/").status_code == 200
    except httpx.TransportError:
        return False


def of_group(name: str, group: str) -> Staff:
    """Somebody of the staff who can log in."""
    staff = Staff.objects.create_user(name, password=PASSWORD, is_staff=True)
    staff.groups.add(Group.objects.get(name=group))
    return staff


def log_in(context: BrowserContext, web: str, name: str) -> Page:
    """A page of the admin; whatever it complains about, and whatever opens, is kept in `page.wrongs`."""
    page = context.new_page()
    wrongs: list[str] = []
    page.wrongs = wrongs  # type: ignore[attr-defined]
    page.on("console", lambda message: wrongs.append(message.text) if message.type == "error" else None)
    page.on(
        "response",
        lambda answer: wrongs.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None,
    )
    page.on("pageerror", lambda error: wrongs.append(str(error)))
    page.on("dialog", lambda dialog: (wrongs.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.goto(f"{web}/admin/")
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(f"{web}/admin/")
    return page


def posted(page: Page, address: str, **fields: str) -> int:
    """The status of a form sent by hand, past every button that is not there."""
    token = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken")
    form = {**fields, "csrfmiddlewaretoken": token}
    return page.request.post(address, form=form, headers={"Referer": address}, max_redirects=0).status
