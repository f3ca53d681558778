"""The pictures of README.md and docs/tour.md, drawn anew: `make pictures`.

A copy of the project runs in a folder of its own, as for a newcomer; people talk to the demo model in it, and
its staff desk has a month behind it that past.py made up. The pictures look as in the docs where the fonts of
Debian's fonts-roboto-unhinted and fonts-noto-color-emoji are installed.
"""

import io
import math
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect

from telegram_bot.playground.demo import HIKING
from tests.browser.test_main_job import ANSWER_SECONDS, browser  # noqa: F401  the fixture
from tests.config.processes import eventually
from tests.config.test_run import ROOT, Copy, copy  # noqa: F401  the fixture
from tests.people import ANNA, BORIS, CHEN, DALIA

pytestmark = [pytest.mark.browser, pytest.mark.processes]

FOLDER = ROOT / "docs" / "images"
BYTES_MAX = 250_000
SETTLED_SECONDS = 0.6  # fonts and animations
QUALITY = 86  # of WebP
COLOURS = 256  # of PNG, which the wallpaper would make four times as large
DESK = {"width": 1000, "height": 780}
PHONE = {"width": 390, "height": 780}
TALL = {"width": 1000, "height": 940}
STAFF = {"width": 1300, "height": 1440}  # down to the charts
SLOW = "Calculate 7**14000000 % 1000003"  # a few seconds: time to be seen at work


def test_the_pictures_are_drawn(copy: Copy, browser: Browser) -> None:  # noqa: F811
    copy.start()
    eventually(lambda: "bot.started" in copy.log, ANSWER_SECONDS)
    subprocess.run(
        [".venv/bin/python", "-m", "tests.browser.past"], cwd=copy.folder, env=copy.environment, check=True
    )
    _chats(_opener(copy, browser), copy.folder)
    _desk(copy, browser)
    for picture in FOLDER.iterdir():
        assert picture.stat().st_size < BYTES_MAX, picture


Open = Callable[..., Page]


def _opener(copy: Copy, browser: Browser) -> Open:  # noqa: F811
    def opened(person: int, *, chat: int | None = None, dark: bool = False, phone: bool = False) -> Page:
        """The chat page of a person, open and listening."""
        context = browser.new_context(
            viewport=PHONE if phone else DESK,
            color_scheme="dark" if dark else "light",
            device_scale_factor=2 if phone else 1,
        )
        page = context.new_page()
        where = f"?person={person}" + (f"&chat={chat}" if chat else "")
        page.goto(f"http://127.0.0.1:{copy.environment['PLAYGROUND_PORT']}/{where}")
        page.wait_for_selector("[data-testid=status][data-state=idle]")
        return page

    return opened


# The chat ----------------------------------------------------------------------------------------


def _chats(opened: Open, folder: Path) -> None:
    anna = opened(ANNA)
    _ask(anna, "Explain why the sky is blue, with a formula", "red is what is left")
    _keep(anna, "chat.png")
    _paying(anna)

    chen = opened(CHEN)
    _ask(chen, "Put the inner planets into a table", "Kepler")
    _keep(chen, "table.webp")
    _say(chen, SLOW)
    chen.get_by_test_id("draft").get_by_text(re.compile("Running Python|Python:")).wait_for()
    _keep(chen, "tool.webp")
    _answered(chen, "The program says")

    boris = opened(BORIS)
    _ask(boris, "Напиши формулу корней квадратного уравнения", "действительных корней нет")
    _keep(boris, "formula.webp")

    dalia = opened(DALIA)
    pictures = [_mountains(folder / f"{name}.jpg", *look) for name, look in MOUNTAINS.items()]
    dalia.get_by_test_id("file").set_input_files(pictures)
    dalia.set_viewport_size(TALL)
    _ask(dalia, "Which of these pictures was taken in the morning?", "Canned by the demo model")
    _keep(dalia, "album.webp")

    group = opened(BORIS, chat=HIKING)
    group.get_by_test_id(f"person-{ANNA}").click()
    group.set_viewport_size(TALL)
    _ask(group, "@starling_bot why is the sky so blue up there?", "red is what is left")
    _keep(group, "group.webp")

    dark = opened(CHEN, dark=True)
    _ask(dark, "Show me some code", "crosses out the multiples")
    _keep(dark, "dark.webp")
    _keep(opened(CHEN, dark=True, phone=True), "phone-dark.webp")
    phone = opened(ANNA, phone=True)
    _ask(phone, "/settings", "Press a button to change one")
    _keep(phone, "phone.webp")


def _paying(page: Page) -> None:
    _ask(page, "/pay", "How much shall I add")
    page.get_by_role("button", name="Basic").click()
    page.get_by_test_id("pay").click()
    page.get_by_test_id("pay-confirm").wait_for()
    _keep(page, "pay.webp")
    page.get_by_test_id("pay-confirm").click()
    _answered(page, "Thank you!")
    _ask(page, "/balance", "In the last 30 days")
    _keep(page, "balance.webp")


def _say(page: Page, words: str) -> None:
    page.get_by_test_id("composer").fill(words)
    page.get_by_test_id("send").click()


def _ask(page: Page, words: str, answer: str) -> None:
    _say(page, words)
    _answered(page, answer)


def _answered(page: Page, words: str) -> None:
    """Wait until the bot has said this, and says no more."""
    bots = page.locator("[data-testid=message][data-from=bot]")
    bots.get_by_text(words).last.wait_for(timeout=ANSWER_SECONDS * 1000)
    expect(page.get_by_test_id("draft")).to_have_count(0, timeout=ANSWER_SECONDS * 1000)


# The desk ----------------------------------------------------------------------------------------


def _desk(copy: Copy, browser: Browser) -> None:  # noqa: F811
    login, password = re.findall(r"Login  (\S+) / (\S+)", copy.log)[0]
    for name, size, dark in (
        ("admin.png", STAFF, False),
        ("desk-dark.webp", STAFF, True),
        ("desk-phone.webp", PHONE, False),
    ):
        context = browser.new_context(
            viewport=size,
            color_scheme="dark" if dark else "light",
            device_scale_factor=2 if size is PHONE else 1,
        )
        page = context.new_page()
        page.goto(f"{copy.web}/admin/")
        page.fill("input[name=username]", login)
        page.fill("input[name=password]", password)
        page.press("input[name=password]", "Enter")
        page.wait_for_url(f"{copy.web}/admin/")
        _keep(page, name)
        if name == "admin.png":
            _rows(page, copy.web)


def _rows(page: Page, web: str) -> None:
    """A person, and one of their payments."""
    page.goto(f"{web}/admin/accounts/user/?q=lindqvist")
    page.get_by_role("link", name="Mia Lindqvist").click()
    page.wait_for_load_state("networkidle")
    page.set_viewport_size({**STAFF, "height": 900})
    _keep(page, "person.webp")
    page.get_by_role("heading", name="Latest operations").scroll_into_view_if_needed()
    page.get_by_text("Latest tool calls").scroll_into_view_if_needed()
    _keep(page, "person-history.webp")
    page.goto(f"{web}/admin/billing/payment/?q=mia_lindqvist")
    page.locator('#result_list a[href*="/billing/payment/"]').first.click()
    page.get_by_role("link", name="Refund").wait_for()
    _keep(page, "payment.webp")


# What is drawn -----------------------------------------------------------------------------------


def _keep(page: Page, name: str) -> None:
    time.sleep(SETTLED_SECONDS)
    page.wait_for_load_state("networkidle")
    picture = Image.open(io.BytesIO(page.screenshot()))
    path = FOLDER / name
    if path.suffix == ".png":
        picture = picture.convert("RGB")
        picture.quantize(palette=picture.quantize(COLOURS), dither=Image.Dither.FLOYDSTEINBERG).save(
            path, optimize=True
        )
    else:
        picture.save(path, quality=QUALITY, method=6)


Colour = tuple[int, int, int]
# The sky's upper and lower colour, and how high the sun stands.
MOUNTAINS: dict[str, tuple[Colour, Colour, float]] = {
    "dawn": ((88, 96, 150), (255, 190, 140), 0.56),
    "noon": ((70, 140, 220), (190, 225, 250), 0.2),
    "night": ((14, 18, 46), (52, 62, 120), 0.3),
}


def _mountains(path: Path, top: Colour, low: Colour, sun: float) -> Path:
    """A picture to send: hills behind hills, paler the farther away."""
    width, height = 900, 675
    picture = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(picture)
    for y in range(height):
        draw.line([(0, y), (width, y)], fill=_between(top, low, y / height))
    x, y = int(width * 0.68), int(height * sun)
    draw.ellipse([x - 44, y - 44, x + 44, y + 44], fill=(255, 244, 214))
    for layer in range(4):
        ridge = [
            (x, int(height * (0.52 + layer * 0.12 + 0.07 * math.sin(x / (150 - layer * 20) + layer * 2))
                    + 14 * math.sin(x / 31 + layer)))
            for x in range(0, width + 10, 10)
        ]  # fmt: skip
        colour = _between(low, (22, 42, 52), 0.35 + layer * 0.2)
        draw.polygon([(0, height), *ridge, (width, height)], fill=colour)
    picture.save(path, quality=90)
    return path


def _between(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue
