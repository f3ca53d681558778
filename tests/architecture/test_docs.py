"""docs/ says what the code says: its tables are written from it, and a stale one is noticed."""

import shutil
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from accounts.models import User
from config.reference import without_meaning

DOCS = settings.BASE_DIR / "docs"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for page in DOCS.glob("*.md"):
        shutil.copy(page, tmp_path)
    return tmp_path


def test_the_generated_parts_of_docs_are_up_to_date() -> None:
    call_command("docs", check=True)


def test_a_stale_table_fails_the_check_with_the_difference(folder: Path) -> None:
    page = folder / "cache.md"
    page.write_text(page.read_text().replace("3600 s", "600 s"))
    with pytest.raises(CommandError, match=r"(?s)run `make docs`.*-.*600 s.*\+.*3600 s"):
        call_command("docs", check=True, folder=folder)
    assert "600 s" in page.read_text().replace("3600 s", "")


def test_a_stale_table_is_written_again_and_what_people_wrote_around_it_stays(folder: Path) -> None:
    page = folder / "commands.md"
    whole = page.read_text()
    page.write_text(whole.replace("/balance", "/wallet") + "\nA sentence of ours.\n")
    call_command("docs", folder=folder)
    assert page.read_text() == whole + "\nA sentence of ours.\n"


def test_a_page_without_its_marks_is_not_guessed_at(folder: Path) -> None:
    (folder / "tools.md").write_text("# The tools\n")
    with pytest.raises(CommandError, match="generated: tools"):
        call_command("docs", folder=folder)


def test_every_column_says_what_it_means() -> None:
    assert without_meaning() == []


def test_a_column_without_a_meaning_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(User._meta.get_field("balance"), "help_text", "")
    assert without_meaning() == ["User.balance"]
