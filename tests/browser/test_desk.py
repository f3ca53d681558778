"""The staff desk in a real browser: money by two pairs of eyes, refunds, exports, and who may do what."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from accounts.admin_pages import address_of, list_address
from accounts.models import Staff, User
from billing import ledger, stars
from billing.models import BalanceOperation, Payment, StarRate
from billing.price_sync import FIRST_STAR_RATE
from telegram_bot.models import Announcement
from tests.admin.conftest import make_everything
from tests.browser.desk import (  # noqa: F401  fixtures
    DESK,
    PASSWORD,
    browser,
    log_in,
    of_group,
    posted,
    rows_beside_the_browser,
    web,
)
from tests.people import ANNA
from tools.models import ToolCall

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.django_db(transaction=True)]

NASTY = "<img src=x onerror=alert(1)>"
# What a spreadsheet would run, as names people give themselves.
FORMULAS = ['=HYPERLINK("https://evil.example","Anna")', "+1+1", "-1+1", "@SUM(A1:A9)", "\t=1+1"]
NUMBER = re.compile(r"-?\d+(\.\d+)?")


@pytest.fixture
def anna() -> User:
    person = User.objects.create(telegram_id=ANNA, first_name="Anna", last_name="Berg", username="anna")
    ledger.credit(person.pk, key=f"grant:{person.pk}", amount=Decimal(1), kind="grant")
    return person


@pytest.fixture
def payment(anna: User) -> Payment:
    """100 Stars of Anna's."""
    StarRate.objects.create(effective_from=timezone.now() - timedelta(days=1), **FIRST_STAR_RATE)
    order = stars.order(anna.pk, 100)
    paid = stars.Paid(charge_id="c1", payload=order.payload or "", stars=100, at=timezone.now())
    return stars.take_payment(anna.pk, paid)


@pytest.fixture
def felix() -> Staff:
    return of_group("felix", "Finance")


def adjust(page: Page, web: str, person: User, amount: str, reason: str) -> None:  # noqa: F811
    page.goto(f"{web}{address_of(person)}")
    page.get_by_role("link", name="Adjust balance").click()
    page.fill("input[name=amount]", amount)
    page.fill("textarea[name=reason]", reason)
    page.get_by_role("button", name="Adjust balance").click()


def adjustments() -> list[BalanceOperation]:
    return list(BalanceOperation.objects.filter(kind="adjustment"))


def test_a_large_adjustment_is_asked_for_by_one_and_made_by_another(
    web: str,  # noqa: F811
    browser: Browser,  # noqa: F811
    felix: Staff,
    anna: User,
) -> None:
    frida = of_group("frida", "Finance")
    asking = log_in(browser.new_context(viewport=DESK), web, "felix")
    adjust(asking, web, anna, "-0.25", "Charged twice")
    asking.get_by_text("Balance adjusted").wait_for()
    (small,) = adjustments()
    assert (small.amount, small.reason, small.actor) == (Decimal("-0.25"), "Charged twice", felix)

    adjust(asking, web, anna, "50.01", "A prize")
    asking.get_by_text("somebody else who may adjust balances has to confirm").wait_for()
    address = asking.get_by_role("link", name="at this address").get_attribute("href") or ""
    assert adjustments() == [small]
    assert asking.wrongs == []  # type: ignore[attr-defined]
    assert asking.request.get(address).status == 403
    assert posted(asking, address) == 403
    assert adjustments() == [small]

    other = log_in(browser.new_context(viewport=DESK), web, "frida")
    other.goto(address)
    expect(other.locator("body")).to_contain_text("felix asks for it: A prize")
    other.get_by_role("button", name="Confirm").click()
    other.get_by_text("Balance adjusted").wait_for()
    large = BalanceOperation.objects.exclude(pk=small.pk).get(kind="adjustment")
    assert (large.amount, large.actor) == (Decimal("50.01"), frida)
    assert large.reason == "A prize (asked for by felix)"
    anna.refresh_from_db()
    assert anna.balance == Decimal("50.76")
    assert other.wrongs == []  # type: ignore[attr-defined]


def test_support_has_neither_the_buttons_nor_the_forms_of_finance(
    web: str,  # noqa: F811
    browser: Browser,  # noqa: F811
    felix: Staff,
    payment: Payment,
) -> None:
    of_group("sofia", "Support")
    anna = payment.user
    finance = log_in(browser.new_context(viewport=DESK), web, "felix")
    support = log_in(browser.new_context(viewport=DESK), web, "sofia")
    buttons = [
        (address_of(anna), "Adjust balance"),
        (address_of(payment), "Refund"),
        (list_address(Payment), "Reconcile now"),
    ]
    for address, button in buttons:
        finance.goto(f"{web}{address}")
        support.goto(f"{web}{address}")
        expect(finance.get_by_role("link", name=button)).to_have_count(1)
        expect(support.get_by_role("link", name=button)).to_have_count(0)
    forms = [
        ("billing_balanceoperation_adjust", anna.pk, {"amount": "5", "form": str(uuid4())}),
        ("billing_payment_refund", payment.pk, {}),
    ]
    for view, row, fields in forms:
        address = f"{web}{reverse(f'admin:{view}', args=[row])}"
        assert support.request.get(address).status == 403, view
        assert posted(support, address, reason="please", **fields) == 403, view
    payment.refresh_from_db()
    assert (adjustments(), payment.state) == ([], "paid")

    finance.goto(f"{web}{address_of(payment)}")
    finance.get_by_role("link", name="Refund").click()
    finance.fill("textarea[name=reason]", "By mistake")
    finance.get_by_role("button", name="Refund").click()
    finance.get_by_text("The refund is asked for").wait_for()
    payment.refresh_from_db()
    assert (payment.state, payment.refund_reason, payment.refund_actor) == (
        "refund_requested", "By mistake", felix,
    )  # fmt: skip
    # The same form, sent by the same hand, does go through for who may.
    address = f"{web}{reverse('admin:billing_balanceoperation_adjust', args=[anna.pk])}"
    assert posted(finance, address, amount="0.01", reason="please", form=str(uuid4())) == 302
    assert [operation.amount for operation in adjustments()] == [Decimal("0.01")]
    assert finance.wrongs == support.wrongs == []  # type: ignore[attr-defined]


def test_what_people_call_themselves_stays_text_in_pages_and_in_spreadsheets(
    web: str,  # noqa: F811
    browser: Browser,  # noqa: F811
    tmp_path: Path,
) -> None:
    rows = make_everything(5, NASTY)
    for number, name in enumerate(FORMULAS, 100):
        person = User.objects.create(telegram_id=number, first_name=name, username=f"f{number}")
        ledger.adjust(
            person.pk, key=f"admin:{uuid4()}", amount=Decimal("-1.5"), reason=name, actor_id=rows["staff"].pk
        )
    Staff.objects.create_superuser("greta", password=PASSWORD)
    page = log_in(browser.new_context(viewport=DESK), web, "greta")
    person, announcement = rows["user"], rows["announcement"]
    Announcement.objects.update(state="draft", confirmed_at=None)
    pages = [
        *(address_of(rows[name]) for name in ("user", "payment", "balanceoperation", "toolcall")),
        *(list_address(model) for model in (User, Payment, BalanceOperation, ToolCall)),
        f"{address_of(person)}?words=1",
        address_of(announcement),
    ]
    for address in pages:
        page.goto(f"{web}{address}")
        page.wait_for_load_state("networkidle")
        expect(page.get_by_text(NASTY).locator("visible=true").first).to_be_visible()
        expect(page.locator("img[src=x]")).to_have_count(0)
    expect(page.locator(".starling-bubble").first).to_have_text(NASTY)  # the announcement, as it will look
    reasons = [name.strip() for name in FORMULAS]  # the ledger keeps them so
    for button, typed in [("Export people", FORMULAS), ("Export operations", reasons)]:
        cells = set(_downloaded(page, web, button, tmp_path))
        assert {f"'{words}" for words in typed} <= cells
        assert [cell for cell in cells if cell[:1] in set("=+-@\t\r") and not NUMBER.fullmatch(cell)] == []
    assert page.wrongs == []  # type: ignore[attr-defined]


def _downloaded(page: Page, web: str, button: str, folder: Path) -> Iterator[str]:  # noqa: F811
    """The cells of an export, as a spreadsheet reads them."""
    page.goto(f"{web}{list_address(User)}")
    with page.expect_download() as waiting:
        page.get_by_role("link", name=button).click()
    file = folder / waiting.value.suggested_filename
    waiting.value.save_as(file)
    assert file.suffix == ".csv"
    for row in csv.reader(io.StringIO(file.read_text("utf-8-sig"), newline="")):
        yield from row
