"""The main job, as a newcomer sees it: `make run`, a question in the chat page, the answer, the admin."""

import re
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from config.place import checkout_place
from tests.config.processes import eventually
from tests.config.test_run import Copy, copy  # noqa: F401  the fixture

pytestmark = [pytest.mark.browser, pytest.mark.processes]

QUESTION = "Explain why the sky is blue, with a formula"
# Without these Chromium looks for its maker's hosts at every start.
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ANSWER_SECONDS = 60


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=CHROMIUM_ARGS)
        yield browser
        browser.close()


def _chromium() -> str:
    for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"):
        if Path(path).exists():
            return path
    pytest.fail("no Chromium here: on Debian, install the package chromium")


def test_a_question_is_answered_with_a_formula_paid_for_and_seen_by_staff(copy: Copy, browser: Browser):  # noqa: F811
    copy.start()
    eventually(lambda: "bot.started" in copy.log, ANSWER_SECONDS)
    chat = browser.new_page(viewport={"width": 1000, "height": 900})
    chat.goto(f"http://127.0.0.1:{copy.environment['PLAYGROUND_PORT']}/?person=1001")
    chat.get_by_test_id("composer").fill(QUESTION)
    sent = time.monotonic()
    chat.get_by_test_id("send").click()
    _wait_for(chat, lambda: _draft(chat))
    print(f"first visible text {time.monotonic() - sent:.2f} s after sending")
    bots = chat.locator("[data-testid=message][data-from=bot]")
    _wait_for(chat, lambda: bots.locator("img").count() and not chat.get_by_test_id("draft").count())
    _wait_for(chat, lambda: _ended(copy))
    before = bots.count()
    assert before >= 2  # the picture, and words that stay
    chat.reload()
    _wait_for(chat, lambda: bots.count() == before)
    (turn, cost, spent), usages = _turn(copy), _usages(copy)
    owed = sum(price_of_demo(usage) for usage in usages)
    assert cost == spent == owed
    assert _balance(copy) == Decimal(1) - owed
    _see_in_the_admin(copy, browser, turn)


def price_of_demo(usage: dict[str, int]) -> Decimal:
    """$1 a million tokens in, $5 out; no cache, as billing/price_sync.py has it."""
    return (usage["input"] * Decimal(1) + usage["output"] * Decimal(5)) / 1_000_000


def _see_in_the_admin(copy: Copy, browser: Browser, turn: int) -> None:  # noqa: F811
    login, password = re.findall(r"Login  (\S+) / (\S+)", copy.log)[0]
    admin = browser.new_page(viewport={"width": 1300, "height": 900})
    admin.goto(f"{copy.web}/admin/")
    admin.fill("input[name=username]", login)
    admin.fill("input[name=password]", password)
    admin.press("input[name=password]", "Enter")
    admin.wait_for_url(f"{copy.web}/admin/")
    admin.goto(f"{copy.web}/admin/conversations/turn/{turn}/change/")
    assert f"turn:{turn}:step:0" in admin.text_content("body")
    assert "assistant" in admin.text_content("body")
    admin.goto(f"{copy.web}/admin/billing/balanceoperation/")
    assert f"turn:{turn}:step:0" in admin.text_content("body")


def _draft(page: Page) -> str:
    drafts = page.get_by_test_id("draft").get_by_test_id("text")
    return (drafts.first.text_content() or "").strip() if drafts.count() else ""


def _wait_for(page: Page, found: Any) -> None:
    until = time.monotonic() + ANSWER_SECONDS
    while not found():
        assert time.monotonic() < until, page.get_by_test_id("log").text_content()
        page.wait_for_timeout(50)


def _rows(copy: Copy, query: str) -> list[Any]:  # noqa: F811
    with psycopg.connect(checkout_place(copy.folder).database_url()) as connection:
        return connection.execute(query).fetchall()  # type: ignore[call-overload]


def _ended(copy: Copy) -> bool:  # noqa: F811
    return _rows(copy, "SELECT state FROM conversations_turn") == [("done",)]


def _turn(copy: Copy) -> tuple[int, Decimal, Decimal]:  # noqa: F811
    ((turn, cost),) = _rows(copy, "SELECT id, cost FROM conversations_turn")
    ((spent,),) = _rows(copy, "SELECT -sum(amount) FROM billing_balanceoperation WHERE kind = 'usage'")
    return turn, cost, spent


def _usages(copy: Copy) -> list[dict[str, int]]:  # noqa: F811
    return [
        usage for (usage,) in _rows(copy, "SELECT usage FROM conversations_message WHERE role = 'assistant'")
    ]


def _balance(copy: Copy) -> Decimal:  # noqa: F811
    ((balance,),) = _rows(copy, "SELECT balance FROM accounts_user")
    return balance
