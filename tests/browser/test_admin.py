"""The admin in a real browser, served as in production: login, a person, their balance; and nothing runs
that somebody typed."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from playwright.sync_api import Browser

from accounts.admin_pages import address_of, list_address
from accounts.models import Staff, User
from billing import ledger
from billing.models import BalanceOperation
from tests.admin.conftest import make_everything
from tests.browser.desk import (  # noqa: F401  fixtures
    DESK,
    PASSWORD,
    PHONE,
    browser,
    log_in,
    rows_beside_the_browser,
    web,
)

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def greta() -> Staff:
    return Staff.objects.create_superuser("greta", password=PASSWORD)


def test_staff_find_a_person_and_adjust_their_balance(web: str, browser: Browser, greta: Staff) -> None:  # noqa: F811
    anna = User.objects.create(telegram_id=1001, first_name="Anna", last_name="Lindqvist")
    ledger.credit(anna.pk, key="pay:1", amount=Decimal(1), kind="top_up")
    make_everything(2002, "somebody else")
    page = log_in(browser.new_context(viewport=DESK), web, "greta")
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
    page = log_in(browser.new_context(viewport=PHONE, color_scheme="dark"), web, "greta")
    for address in ["/admin/", *_addresses(rows)]:
        page.goto(f"{web}{address}")
        page.wait_for_load_state("networkidle")
        assert page.wrongs == [], address
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


def _addresses(rows: dict[str, Any]) -> Iterator[str]:
    for model in admin.site._registry:
        yield list_address(model)
        yield f"{address_of(rows[model._meta.model_name])}?words=1"
