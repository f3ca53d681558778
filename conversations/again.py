"""/retry: the last question of a lane, asked again."""

from collections.abc import Mapping

from django.db import transaction

from accounts.services import lock_user
from conversations import said
from conversations.contracts import Model, Reason
from conversations.epochs import Need, can_be_summed_up
from conversations.errors import BeingTold, NotARetry
from conversations.leases import lease_end
from conversations.models import Thread, Turn
from conversations.steps import open_step
from conversations.threads import take_in, waiting_messages
from conversations.turns import Claim, new_turn


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


@transaction.atomic
def retry_turn(
    turn_id: int, *, user_id: int, owner: str, models: Mapping[str, Model], answered: bool = False
) -> Claim:
    """Ask again where a turn broke off: completed steps stand, words that were cut are superseded.

    With `answered` a finished turn is asked anew, and its whole answer is superseded. Raises NotARetry when
    the turn is not the person's, not the last of its thread, or was answered; BeingTold when it has ended and
    that is not noted yet: they saw its last words a moment ago.
    """
    lock_user(user_id)
    old = (
        Turn.objects.filter(pk=turn_id, user_id=user_id)
        .select_related("thread", "thread__chat", "user")
        .first()
    )
    if old is None or old.thread.hidden_at or (old.state == Turn.State.DONE and not answered):
        raise NotARetry(f"turn {turn_id}")
    if old.state == Turn.State.RUNNING:
        is_told = old.failure or old.stop_requested or _is_whole(old)
        raise BeingTold(f"turn {turn_id}") if is_told else NotARetry(f"turn {turn_id} is being answered")
    thread = Thread.objects.select_for_update(of=("self",)).select_related("chat").get(pk=old.thread_id)
    if Turn.objects.filter(thread=thread, pk__gt=old.pk).exists():
        raise NotARetry(f"turn {turn_id} is not the last")
    gone = old.messages.filter(role="assistant", reason="")
    if old.state == Turn.State.DONE or _is_whole(old):
        # All that no person and no notice of ours said, behind a summary.
        gone = old.messages.filter(author__isnull=True, seq__gt=thread.epoch_begins).exclude(role="system")
    if gone.update(superseded=True):
        said.forget(thread.pk)
    until = lease_end()
    turn = new_turn(thread, old.user, owner, models, guest_message=old.guest_message)
    take_in(turn, waiting_messages(thread.pk, author=user_id))
    # Refused as it stands and in plain words: only a new epoch, with a fresh prompt and tools, can help.
    refused = old.failure == "bad_request" and can_be_summed_up(turn.pk, thread.pk)
    need = Need.MUST if refused else None
    return Claim(turn, open_step(turn, models[turn.model], need=need), until)


def _is_whole(turn: Turn) -> bool:
    """Did its model finish? A Stop may come too late, and thoughts alone may be all that was said."""
    last = turn.messages.filter(superseded=False).order_by("seq").last()
    return last is not None and last.role == "assistant" and last.reason == Reason.END
