"""Every sentence is there in both languages, and each that tells of a failure says what to do next."""

import gettext
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from billing import errors
from conversations.contracts import ProviderError
from telegram_bot.answering import ABOUT_MONEY
from telegram_bot.endings import RETRYABLE
from telegram_bot.files import ABOUT_MONEY as ABOUT_MONEY_OF_FILES
from telegram_bot.texts import failure, say

ROOT = settings.BASE_DIR
CATALOG = ROOT / "locale/ru/LC_MESSAGES/django.po"
PIECES = ("accounts", "billing", "config", "conversations", "telegram_bot", "tools", "templates", "locale")
TOOLS = ("xgettext", "msgattrib", "msgfmt")
NO_TOOLS = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason="GNU gettext is not installed (Debian: gettext)"
)
LANGUAGES = ("en", "ru")
# What a person can do: a command, a button, another try, other words.
NEXT = re.compile(
    r"/\w+|button|again|later|Wait|Send|Make|Remove|Top up|Please|opens again"
    r"|кнопк|снова|ещё раз|позже|Подождите|Отправьте|Пришлите|Уменьшите|Сделайте|Снимите|Пополните|Пожалуйста|откроется"
)


def keys_of(template: str) -> set[str]:
    """The keys a template has a sentence for."""
    return set(re.findall(r'key == "(\w+)"', (ROOT / f"templates/bot/{template}.md").read_text()))


def spending_refusals() -> set[str]:
    return {kind.key for kind in errors.SpendingRefused.__subclasses__()}


def provider_failures() -> set[str]:
    listed = (ProviderError.__doc__ or "").split("gets:")[1]
    return set(re.findall(r"\w+", listed))


@NO_TOOLS
def test_makemessages_has_nothing_to_add_and_nothing_to_take_away(tmp_path: Path) -> None:
    for piece in PIECES:
        shutil.copytree(
            ROOT / piece, tmp_path / piece, ignore=shutil.ignore_patterns("__pycache__", "static")
        )
    command = ("makemessages", "-l", "ru", "-e", "py,html,md,txt,svg", "--no-location", "--no-wrap")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "django",
            *command,
            "--pythonpath",
            str(ROOT),
            "--settings",
            "config.settings",
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    written = tmp_path / CATALOG.relative_to(ROOT)
    for what in ("--untranslated", "--only-fuzzy", "--only-obsolete"):
        found = subprocess.run(["msgattrib", what, written], check=True, capture_output=True, text=True)
        said = re.findall(r'^(?:#~ )?msgid "(.+)"', found.stdout, re.MULTILINE)
        assert said == [], what


@NO_TOOLS
def test_the_compiled_catalog_is_that_of_the_source(tmp_path: Path) -> None:
    made = tmp_path / "django.mo"
    subprocess.run(["msgfmt", "-o", made, CATALOG], check=True, capture_output=True)
    with made.open("rb") as new, CATALOG.with_suffix(".mo").open("rb") as kept:
        assert gettext.GNUTranslations(kept)._catalog == gettext.GNUTranslations(new)._catalog


def test_every_failure_has_a_sentence_of_its_own() -> None:
    known = keys_of("failure")
    assert spending_refusals() <= known
    assert provider_failures() <= known
    assert (RETRYABLE | ABOUT_MONEY) - {"crashed"} <= known  # a crash is the sentence for all the rest
    assert ABOUT_MONEY_OF_FILES | spending_refusals() <= keys_of("file_failed")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_failure_says_what_to_do_next(language: str) -> None:
    sentences = {key: failure(key, language) for key in keys_of("failure") | {"crashed"}}
    files = {
        key: say("file_failed", language, key=key, name="a.pdf", limit=20)
        for key in keys_of("file_failed") | {"else"}
    }
    for told in (sentences, files):
        assert len(set(told.values())) == len(told), "each has its own words"
        assert {key: words for key, words in told.items() if not NEXT.search(words)} == {}
        assert all(bool(re.search("[а-яё]", words)) == (language == "ru") for words in told.values())
