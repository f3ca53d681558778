"""A history that its vendor refuses is said once more in a form it takes: no thread is stuck for good."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import structlog
from django.db import transaction

from config.patience import patiently
from conversations import cache, history
from conversations.contracts import Event, ProviderError, Request
from conversations.models import Message, Thread
from conversations.parts import Part, Thinking
from conversations.steps import Step

# Words by which vendors say that it is a thought they do not take back. Anthropic (November 2026):
# "Invalid `signature` in `thinking` block. The block is bound to a different conversation".
THOUGHT_WORDS = ("thinking", "signature", "thought", "reasoning")

log = structlog.get_logger(__name__)


async def asked(step: Step, request: Request) -> AsyncGenerator[Event, None]:
    """The events of a model call; refused before its first one, the call is made once more, mended.

    Raises ProviderError like the model's own stream.
    """
    began = False
    try:
        async with aclosing(step.model.stream(step.model, request)) as events:
            async for event in events:
                began = True
                yield event
            return
    except ProviderError as error:
        is_thought = any(words in error.detail.lower() for words in THOUGHT_WORDS)
        mended = mend(request, thoughts_only=is_thought)
        if began or error.key != "bad_request" or mended == request:
            raise
        log.warning("history.refused", turn=step.turn_id, thoughts_only=is_thought, reason=error.detail)
    if is_thought:
        await patiently(forget_signatures)(step.thread_id)
    async with aclosing(step.model.stream(step.model, mended)) as events:
        async for event in events:
            yield event


def mend(request: Request, *, thoughts_only: bool) -> Request:
    """The request without thoughts; or, when nobody knows what is wrong with it, in plain words."""
    change = history.without_thinking if thoughts_only else history.plain
    return replace(request, messages=change(request.messages))


@transaction.atomic
def forget_signatures(thread_id: int) -> None:
    """Keep a thread's thoughts for the record, without the seals that no vendor takes any more.

    The next request then says what the mended one said, so that what is thought from now on stays valid.
    """
    Thread.objects.select_for_update().get(pk=thread_id)
    said = Message.objects.filter(thread_id=thread_id, role="assistant", superseded=False)
    broken = [message for message in said if any(history.is_thinking(part) for part in message.parts)]
    for message in broken:
        message.parts = tuple(_unsealed(part) for part in message.parts)
    Message.objects.bulk_update(broken, ["parts"])
    transaction.on_commit(lambda: cache.forget(thread_id))


def _unsealed(part: Part) -> Part:
    if not history.is_thinking(part):
        return part
    return Thinking(part.text if isinstance(part, Thinking) else "")
