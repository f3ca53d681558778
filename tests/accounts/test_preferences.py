"""The registry of preferences agrees with the table, and with what a button can carry."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from accounts.models import User
from accounts.preferences import PREFERENCES, Preference, preference
from accounts.services import set_preference
from telegram_bot.keyboards import DATA_BYTES_MAX, SettingPress, sealed

LONGEST_ID = 2**52  # Telegram: at most 52 significant bits


@pytest.mark.parametrize("entry", PREFERENCES, ids=lambda entry: entry.name)
def test_a_new_persons_row_has_the_first_choice(entry: Preference):
    assert entry.chosen(User()) is entry.choices[0]


@pytest.mark.parametrize("entry", PREFERENCES, ids=lambda entry: entry.name)
def test_every_choice_can_be_stored_and_is_found_again(entry: Preference, db: None):
    user = User.objects.create(telegram_id=1)
    for choice in entry.choices:
        set_preference(user.pk, **{entry.name: choice.value})
        user.refresh_from_db()
        user.clean_fields()
        assert entry.chosen(user) is choice


@pytest.mark.parametrize("entry", PREFERENCES, ids=lambda entry: entry.name)
def test_every_choice_fits_a_button(entry: Preference):
    for choice in entry.choices:
        data = sealed(SettingPress(name=entry.name, choice=choice.key), person=LONGEST_ID, key=b"key")
        assert len(data.encode()) <= DATA_BYTES_MAX


def test_a_value_that_is_no_choice_any_more_reads_as_the_default():
    user = User(retention=365, rendering="hologram")
    with pytest.raises(ValidationError):
        user.clean_fields()
    assert preference("retention").chosen(user).key == "ever"
    assert preference("rendering").chosen(user).key == "auto"


def test_a_limit_the_operator_does_not_allow_cannot_be_chosen(settings):
    settings.DAILY_CAP_USD = Decimal("1.00")
    cap = preference("daily_cap")
    assert cap.choice("0.50")
    assert cap.choice("none")
    assert cap.choice("1.00") is None
    assert cap.choice("5.00") is None


def test_an_unknown_preference_is_a_programming_error(db: None):
    user = User.objects.create(telegram_id=1)
    with pytest.raises(ValueError, match="balance"):
        set_preference(user.pk, balance=Decimal(100))
