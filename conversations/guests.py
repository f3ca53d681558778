"""A guest's answer, for who wants to read all of it in private."""

from conversations.history import Row
from conversations.models import Message, Turn
from conversations.threads import rows_of


def whole_answer(turn_id: int, person: int) -> tuple[int, list[Row]] | None:
    """A turn's thread and what was said in it, for the person who asked; None for anybody else.

    `person` is Telegram's id.
    """
    turn = Turn.objects.filter(pk=turn_id, user__telegram_id=person).exclude(guest_message="").first()
    if turn is None:
        return None
    return turn.thread_id, rows_of(Message.objects.filter(turn=turn, superseded=False))
