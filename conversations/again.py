"""/retry: the last question of a lane, asked again."""

from collections.abc import Mapping

from django.db import transaction

from accounts.services import lock_user
from conversations.contracts import Model
from conversations.errors import NotARetry
from conversations.models import Thread, Turn
from conversations.turns import Claim, retry_turn


@transaction.atomic
def retry_lane(
    *, chat_telegram_id: int, topic: int | None, user_id: int, owner: str, models: Mapping[str, Model]
) -> Claim:
    """Ask the last question of a lane again: one that broke off goes on, one that was answered is answered anew.

    Raises NotARetry when nothing was asked, somebody else asked it, or it is being answered right now.
    """
    lock_user(user_id)
    lane = Thread.objects.filter(chat__telegram_id=chat_telegram_id, topic=topic, is_current=True)
    last = Turn.objects.filter(thread__in=lane).order_by("-pk").first()
    if last is None or last.user_id != user_id:
        raise NotARetry("nothing of theirs was asked here")
    return retry_turn(last.pk, user_id=user_id, owner=owner, models=models, answered=True)
