"""What a button carries: whose it is, and a seal that only we can make."""

import pytest

from telegram_bot.keyboards import Forged, NotYours, RetryPress, SettingPress, digest, opened, sealed

KEY, ANNA, BORIS = b"a key of ours", 1001, 1002


def test_the_one_it_is_for_opens_it():
    press = SettingPress(name="language", choice="ru")
    data = sealed(press, person=ANNA, key=KEY)
    assert SettingPress.unpack(opened(data, presser=ANNA, key=KEY)) == press


def test_somebody_else_is_told_apart_from_a_forger():
    data = sealed(RetryPress(turn=812), person=ANNA, key=KEY)
    with pytest.raises(NotYours):
        opened(data, presser=BORIS, key=KEY)


def test_changing_any_character_breaks_the_seal():
    data = sealed(RetryPress(turn=812), person=ANNA, key=KEY)
    for place, character in enumerate(data):
        other = "0" if character != "0" else "1"
        with pytest.raises(Forged):
            opened(data[:place] + other + data[place + 1 :], presser=ANNA, key=KEY)


@pytest.mark.parametrize("data", ["", "~", "~~", "retry:812", "retry:812~3e9", "retry:812~3e9~", "é~ü~ß"])
def test_what_has_no_seal_is_forged(data: str):
    with pytest.raises(Forged):
        opened(data, presser=ANNA, key=KEY)


def test_another_installations_buttons_are_not_ours():
    data = sealed(RetryPress(turn=812), person=ANNA, key=b"another key")
    with pytest.raises(Forged):
        opened(data, presser=ANNA, key=KEY)


def test_more_than_a_button_can_carry_is_noticed_when_it_is_made():
    with pytest.raises(ValueError, match="cannot carry"):
        sealed(SettingPress(name="x" * 50), person=ANNA, key=KEY)


def test_a_models_digest_is_short_and_its_own():
    ids = ["demo", "claude-haiku-5-5", "vendor/a:very-long-name-" + "x" * 100]
    assert len({digest(model_id) for model_id in ids}) == 3
    assert {len(digest(model_id)) for model_id in ids} == {12}
