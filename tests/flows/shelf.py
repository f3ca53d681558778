"""Files laid into a conversation, as if its person had sent them before."""

from conversations.contracts import NewFile
from conversations.files import store_file
from conversations.models import Thread
from tests.flows.books import asynchronous


@asynchronous
def put(telegram_id: int, name: str, mime: str, content: bytes) -> str:
    """Lay a file into the current thread of a private chat; returns its short id."""
    thread = Thread.objects.get(chat__telegram_id=telegram_id, is_current=True)
    file = store_file(NewFile(name, mime, content), thread_id=thread.pk, user_id=None, made_by="")
    file.save()
    return file.short_id
