"""The chat page by itself, with no bot behind it: what it draws, where it scrolls, how keys work it."""

import io
from collections.abc import AsyncIterator

import pytest
from aiogram import Bot
from aiogram.types import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputRichBlockTable,
    InputRichMessage,
    MessageEntity,
    RichBlockTableCell,
)
from PIL import Image
from playwright.async_api import Browser, Page, expect

from telegram_bot.playground import Person, Playground
from telegram_bot.playground.demo import furnish
from telegram_bot.playground.shapes import Upload
from tests.browser.test_paying import browser, say  # noqa: F401  a fixture
from tests.conftest import ROOT
from tests.people import ANNA
from tests.playground.conftest import anna, bot_of  # noqa: F401  a fixture

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1100, "height": 800}


@pytest.fixture
async def telegram() -> AsyncIterator[Playground]:
    async with Playground.started(pages=ROOT / "templates" / "playground") as playground:
        furnish(playground)
        yield playground


@pytest.fixture
async def bot(telegram: Playground) -> AsyncIterator[Bot]:
    async with bot_of(telegram) as bot:
        yield bot


async def opened(browser: Browser, telegram: Playground, size: dict[str, int]) -> Page:  # noqa: F811
    """Anna's page; what it complains about is kept in `page.wrongs`."""
    context = await browser.new_context(viewport=size, color_scheme="dark")
    page = await context.new_page()
    wrongs: list[str] = []
    page.wrongs = wrongs  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: wrongs.append(str(error)))
    page.on("console", lambda said: wrongs.append(said.text) if said.type in ("error", "warning") else None)
    await page.goto(f"{telegram.url}/?person={ANNA}")
    await expect(page.get_by_test_id("status")).to_have_attribute("data-state", "idle")
    return page


def picture(width: int, height: int) -> bytes:
    body = io.BytesIO()
    Image.new("RGB", (width, height), "#3390ec").save(body, "JPEG")
    return body.getvalue()


async def test_an_album_is_one_bubble_and_the_newest_stays_in_view(
    telegram: Playground,
    browser: Browser,  # noqa: F811
    anna: Person,  # noqa: F811
) -> None:
    page = await opened(browser, telegram, DESK)
    await anna.send("Look at these:")
    uploads = [Upload(f"{number}.jpg", "image/jpeg", picture(900, 400 + 300 * number)) for number in range(3)]
    await anna.send_album(uploads, caption="Which is the best?")
    await expect(page.locator(".album")).to_have_count(1)
    await expect(page.get_by_test_id("message")).to_have_count(4)
    lefts, tops = await page.locator(".album img").evaluate_all(
        "(all) => ['left', 'top'].map((side) => all.map((one) => Math.round(one.getBoundingClientRect()[side])))"
    )
    assert tops[0] < tops[1] == tops[2]  # one above, two beside each other
    assert lefts[0] == lefts[1] < lefts[2]
    await expect(page.locator(".album").get_by_test_id("text")).to_be_in_viewport(ratio=1)
    await expect(page.get_by_test_id("jump")).to_be_hidden()
    assert page.wrongs == []  # type: ignore[attr-defined]


async def test_what_grows_between_a_scroll_and_its_event_is_no_reason_to_leave_the_bottom(
    telegram: Playground,
    browser: Browser,  # noqa: F811
    anna: Person,  # noqa: F811
) -> None:
    page = await opened(browser, telegram, DESK)
    for number in range(40):
        await anna.send(f"Message {number}")
    last = page.get_by_test_id("message").last
    await expect(last).to_be_in_viewport(ratio=1)
    viewport = page.locator("#viewport")
    await viewport.evaluate("(one) => new Promise((done) => { one.onscroll = done; one.scrollTop -= 30; })")
    await viewport.evaluate(
        """(one) => {
            one.scrollTop += 30;
            one.querySelector(".row:last-child .bubble").style.paddingBottom = "300px";
        }"""
    )
    await expect(last).to_be_in_viewport(ratio=1)
    await expect(page.get_by_test_id("jump")).to_be_hidden()
    await viewport.evaluate("(one) => { one.scrollTop = 0; }")  # as who reads further up
    await anna.send("Not to be scrolled to")
    await expect(page.get_by_test_id("jump")).to_be_visible()
    assert page.wrongs == []  # type: ignore[attr-defined]


async def test_nothing_is_wider_than_a_phone_and_no_press_moves_the_page(
    telegram: Playground,
    bot: Bot,
    browser: Browser,  # noqa: F811
    anna: Person,  # noqa: F811
) -> None:
    page = await opened(browser, telegram, PHONE)
    await anna.send("W" * 300)
    code = "x = " + " + ".join(str(number) for number in range(200))
    await bot.send_message(
        ANNA, code, entities=[MessageEntity(type="pre", offset=0, length=len(code), language="python")]
    )
    cells = [
        [RichBlockTableCell(text=f"column {number}", align="left", valign="top") for number in range(12)]
    ]
    await bot.send_rich_message(ANNA, InputRichMessage(blocks=[InputRichBlockTable(cells=cells)]))
    await anna.send("مرحبا، لماذا السماء زرقاء؟")
    buttons = [InlineKeyboardButton(text=f"A button with many words {n}", callback_data=str(n)) for n in "12"]
    await bot.send_message(ANNA, "Choose", reply_markup=InlineKeyboardMarkup(inline_keyboard=[buttons]))
    await expect(page.get_by_test_id("message")).to_have_count(5)
    sizes = "[document.documentElement, document.getElementById('viewport')].map((one) => one.scrollWidth)"
    assert await page.evaluate(sizes) == [PHONE["width"]] * 2
    for scrolls in (".pre pre", ".rich-table-box"):
        box = page.locator(scrolls)
        assert await box.evaluate("(box) => box.scrollWidth > box.clientWidth"), scrolls
    await expect(page.get_by_role("button", name="many words 2")).to_be_in_viewport(ratio=1)

    await page.get_by_test_id("send").evaluate("(button) => button.scrollIntoView({ block: 'start' })")
    await expect(page.get_by_test_id("status")).to_be_in_viewport(ratio=1)
    assert page.wrongs == []  # type: ignore[attr-defined]


async def test_keys_alone_write_open_and_close(
    telegram: Playground,
    browser: Browser,  # noqa: F811
    anna: Person,  # noqa: F811
) -> None:
    page = await opened(browser, telegram, PHONE)
    composer = page.get_by_test_id("composer")
    await composer.press_sequentially("one")
    await composer.press("Shift+Enter")
    await composer.press_sequentially("two")
    await composer.press("Enter")
    await expect(page.get_by_test_id("message").get_by_test_id("text")).to_have_text("one\ntwo")
    await composer.press("ArrowUp")
    await expect(page.get_by_test_id("edited")).to_be_visible()
    await composer.press("Escape")
    await expect(page.get_by_test_id("edited")).to_be_hidden()

    await page.locator("#open-people").press("Enter")
    await expect(page.get_by_test_id(f"person-{ANNA}")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#open-people")).to_be_focused()
    await page.locator("#more").press("Enter")
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("menuitem").nth(1)).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#more")).to_be_focused()
    await expect(page.locator("#more-menu")).to_be_hidden()
    nameless = "(all) => all.filter((one) => !one.ariaLabel && !one.textContent.trim()).length"
    assert await page.locator("button, a, textarea").evaluate_all(nameless) == 0
    assert page.wrongs == []  # type: ignore[attr-defined]
