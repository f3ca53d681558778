"""An erasure takes the copies too: the picture as models saw it, and what was heard."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from accounts.models import User
from conversations.models import Chat, Thread, Transcript, UserFile
from telegram_bot.keeping import erase_person
from tests.people import ANNA

pytestmark = pytest.mark.django_db


def test_no_copy_of_a_picture_and_no_transcript_outlives_its_person(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    user = User.objects.create(telegram_id=ANNA)
    chat = Chat.objects.create(telegram_id=ANNA, kind="private")
    thread = Thread.objects.create(chat=chat, system="", tools="[]")
    original, shown = (default_storage.save(f"files/{name}", ContentFile(b"x")) for name in "ab")
    UserFile.objects.create(
        thread=thread,
        user=user,
        short_id="f_1",
        name="a",
        mime="image/png",
        size=1,
        stored=original,
        shown=shown,
    )
    Transcript.objects.create(key="transcribe:1:1", user=user, text="secret")
    erase_person(ANNA)
    assert not default_storage.exists(original)
    assert not default_storage.exists(shown)
    assert not Transcript.objects.exists()
