"""The admin in a real browser, served as in production: login, a person, their balance; and nothing runs
that somebody typed."""

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx2 as httpx
import pytest
from django.contrib import admin
from django.db import connection
from playwright.sync_api import Browser, BrowserContext, Page

from accounts.admin_pages import address_of, list_address
from accounts.models import Staff, User
from billing import ledger
from billing.models import BalanceOperation
from tests.admin.conftest import make_everything
from tests.browser.test_main_job import browser  # noqa: F401  the fixture
from tests.config.processes import eventually, free_port

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.django_db(transaction=True)]

START_SECONDS_MAX = 60
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


@pytest.fixture(autouse=True)
def _rows_beside_the_browser(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:  # noqa: F811
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


@pytest.fixture
def greta() -> Staff:
    return Staff.objects.create_superuser("greta", password="a long enough one")


def log_in(context: BrowserContext, web: str) -> Page:
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
    page.fill("input[name=username]", "greta")
    page.fill("input[name=password]", "a long enough one")
    page.press("input[name=password]", "Enter")
    page.wait_for_url(f"{web}/admin/")
    return page


def test_staff_find_a_person_and_adjust_their_balance(web: str, browser: Browser, greta: Staff) -> None:  # noqa: F811
    anna = User.objects.create(telegram_id=1001, first_name="Anna", last_name="Lindqvist")
    ledger.credit(anna.pk, key="pay:1", amount=Decimal(1), kind="top_up")
    make_everything(2002, "somebody else")
    page = log_in(browser.new_context(viewport=DESK), web)
    page.get_by_role("link", name="People").first.click()
    page.fill("#searchbar", "lindqvist")
    page.press("#searchbar", "Enter")
    page.get_by_role("link", name="Anna Lindqvist").click()
    page.get_by_role("link", name="Adjust balance").click()
    page.fill("input[name=amount]", "2.5")
    page.get_by_role("button", name="Adjust balance").click()
    assert "This field is required" in page.text_content("body")  # the reason
    page.fill("textarea[name=reason]", "The outage of last week")
    page.get_by_role("button", name="Adjust balance").click()
    page.get_by_text("Balance adjusted: $1.00 → $3.50.").wait_for()
    operation = BalanceOperation.objects.get(kind="adjustment", user=anna)
    assert (operation.amount, operation.actor) == (Decimal("2.5"), greta)
    assert page.wrongs == []


def test_on_a_phone_every_page_fits_and_nothing_typed_runs(web: str, browser: Browser, greta: Staff) -> None:  # noqa: F811
    rows = make_everything(5, "<img src=x onerror=alert(1)>{{alert(2)}}")
    page = log_in(browser.new_context(viewport=PHONE, color_scheme="dark"), web)
    for address in ["/admin/", *_addresses(rows)]:
        page.goto(f"{web}{address}")
        page.wait_for_load_state("networkidle")
        assert page.wrongs == [], address
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


def _addresses(rows: dict[str, Any]) -> Iterator[str]:
    for model in admin.site._registry:
        yield list_address(model)
        yield f"{address_of(rows[model._meta.model_name])}?words=1"
