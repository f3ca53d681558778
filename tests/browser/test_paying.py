"""Paying in the chat page, as a person does: the invoice, the sheet, the wallet, the receipt."""

import re
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from telegram_bot.dispatcher import Roles
from telegram_bot.playground.server import Playground
from tests.browser.test_main_job import CHROMIUM_ARGS, _chromium
from tests.conftest import ROOT
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Words
from tests.flows import books
from tests.flows.conftest import TOKEN, claude, running  # noqa: F401  fixtures
from tests.people import ANNA

pytestmark = pytest.mark.browser


@pytest.fixture
async def telegram(settings) -> AsyncIterator[Playground]:
    async with Playground.started(TOKEN, pages=ROOT / "templates" / "playground") as playground:
        settings.TELEGRAM_BOT_TOKEN = TOKEN
        settings.TELEGRAM_API_URL = playground.url
        yield playground


@pytest.fixture
async def starling(telegram: Playground, claude: object, transactional_db: None) -> AsyncIterator[Roles]:  # noqa: F811
    async with running() as roles:
        yield roles


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_chromium(), args=CHROMIUM_ARGS)
        yield browser
        await browser.close()


async def say(page: Page, words: str) -> None:
    await page.get_by_test_id("composer").fill(words)
    await page.get_by_test_id("send").click()


async def test_stars_are_paid_from_a_sheet_and_everything_says_so(
    starling: Roles, telegram: Playground, browser: Browser
):
    anna = telegram.person(ANNA)
    page = await browser.new_page(viewport={"width": 1000, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(f"{telegram.url}/?person={ANNA}")
    await expect(page.get_by_test_id("wallet")).to_have_text("5,000")
    await say(page, "/pay")
    await page.get_by_role("button", name="Basic").click()
    await page.get_by_test_id("pay").click()
    sheet = page.get_by_test_id("pay-sheet")
    await expect(sheet).to_contain_text("$0.65 will be added to your balance.")
    await page.get_by_test_id("pay-confirm").click()
    await expect(page.get_by_test_id("log")).to_contain_text("Your balance is $1.65")
    await expect(page.get_by_test_id("wallet")).to_have_text("4,900")
    await expect(page.get_by_test_id("log")).to_contain_text("You paid ⭐ 100")
    await expect(page.get_by_test_id("pay")).to_be_disabled()
    await page.reload()
    await expect(page.get_by_test_id("pay")).to_have_text("Paid")

    anna.fill_wallet(-4850)
    await expect(page.get_by_test_id("wallet")).to_have_text("50")
    await say(page, "/pay 120")
    await page.get_by_test_id("log").get_by_role("button", name="Pay 120").click()
    await expect(page.get_by_test_id("pay-problem")).to_have_text("You need 70 more Stars.")
    await page.get_by_test_id("pay-confirm").click()
    await expect(page.get_by_test_id("pay-wallet")).to_have_text("5,050")
    await page.keyboard.press("Escape")
    assert errors == []


async def test_what_is_spent_is_refused_with_a_reason_and_what_is_not_comes_back_in_stars(
    telegram: Playground,
    claude: AnthropicStandIn,  # noqa: F811
    browser: Browser,
    transactional_db: None,
    settings: Any,
):
    settings.STARTING_BALANCE_USD = Decimal(0)
    claude.say(Words("Because air scatters blue light."))
    page = await browser.new_page(viewport={"width": 1000, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    log = page.get_by_test_id("log")
    async with running():
        await page.goto(f"{telegram.url}/?person={ANNA}")
        await pay(page)
        await expect(page.get_by_test_id("wallet")).to_have_text("4,900")
        assert await books.balance_of(ANNA) == Decimal("0.65")

        await say(page, "Why is the sky blue?")
        await expect(log).to_contain_text("air scatters blue light")
        (turn,) = await books.all_done()
        assert await books.balance_of(ANNA) == Decimal("0.65") - turn.cost
        assert turn.cost > 0

        await say(page, "/refund")
        listed = page.get_by_test_id("message").filter(has_text="A payment can be given back whole")
        await expect(listed).to_contain_text(re.compile(r"⭐ 100, [^\n]+: spent, or held for an answer"))
        await expect(listed.get_by_test_id("button")).to_have_count(0)

        await pay(page)
        await expect(page.get_by_test_id("wallet")).to_have_text("4,800")
        await say(page, "/refund")
        await expect(listed).to_have_count(2)
        await listed.last.get_by_test_id("button").first.click()
        await page.get_by_test_id("button").filter(has_text="Yes, give ⭐ 100 back").click()
        await expect(log).to_contain_text("⭐ 100 went back to you")
        await expect(log).to_contain_text("Refunded: ⭐ 100")
        await expect(page.get_by_test_id("wallet")).to_have_text("4,900")
    assert await books.balance_of(ANNA) == Decimal("0.65") - turn.cost
    assert await books.mismatches() == []
    assert errors == []


async def pay(page: Page) -> None:
    """100 Stars, from the offer to the receipt."""
    receipts = page.get_by_test_id("message").filter(has_text="Thank you!")
    before = await receipts.count()
    await say(page, "/pay")
    await page.get_by_role("button", name="Basic").last.click()
    await page.get_by_test_id("pay").and_(page.locator(":enabled")).click()
    await page.get_by_test_id("pay-confirm").click()
    await expect(receipts).to_have_count(before + 1)


async def test_the_sheet_on_a_phone_in_the_dark_and_a_subscription(
    starling: Roles, telegram: Playground, browser: Browser
):
    page = await browser.new_page(viewport={"width": 390, "height": 780}, color_scheme="dark")
    await page.goto(f"{telegram.url}/?person={ANNA}")
    await say(page, "/pay")
    await page.get_by_role("button", name="Every month").click()
    await page.get_by_role("button", name="Subscribe").click()
    await expect(page.get_by_test_id("pay-sheet")).to_contain_text("every 30 days")
    await page.get_by_test_id("pay-confirm").click()
    await expect(page.get_by_test_id("log")).to_contain_text("You subscribed for ⭐ 250 a month")
    await page.get_by_test_id("wallet").click()
    await page.get_by_role("menuitem", name="Renew the subscription").click()
    await expect(page.get_by_test_id("log")).to_contain_text("Your subscription was renewed")
    await say(page, "/balance")
    await expect(page.get_by_test_id("log")).to_contain_text("paid with Stars")
