"""What a model call reads comes out of the cache, and is what the table says, whatever the cache has lost."""

import json
from collections.abc import Callable
from decimal import Decimal

import pytest
import redis as redis_client
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.services import lock_user
from billing import ledger
from billing.price_sync import seed_prices
from billing.pricing import Usage
from conversations.again import retry_turn
from conversations.closing import close_step
from conversations.contracts import Done, Reason
from conversations.models import Thread, Turn
from conversations.parts import Text, text_of
from conversations.providers import models
from conversations.reply import Reply
from conversations.steps import Step
from conversations.threads import lane, receive, rows_of, said_in
from conversations.turns import claim_turn, finish_turn
from tests.people import ANNA

pytestmark = pytest.mark.django_db(transaction=True)
OWNER = "this process"
HISTORY = '"conversations_message"."seq" >'  # the question that a hit saves


@pytest.fixture
def anna(settings) -> User:
    settings.DEFAULT_MODEL = "demo"
    seed_prices()
    user = User.objects.create(telegram_id=ANNA)
    ledger.credit(user.pk, key="pay:1", amount=Decimal(5), kind="top_up")
    return user


def ask(user: User, number: int, words: str) -> Step:
    with transaction.atomic():
        lock_user(user.pk)
        thread = lane(telegram_id=ANNA, kind="private", title="Anna", topic=None, user=user, tools=[])
        receive(thread, author=user, messages=[(number, (Text(words),))])
        claim = claim_turn(thread, user=user, owner=OWNER, models=models())
    assert claim is not None
    assert claim.step is not None
    return claim.step


def answer(step: Step, words: str, *, whole: bool = True) -> None:
    reply = Reply()
    reply.add(Text(words))
    reply.add(Usage(input=10, output=5))
    if whole:
        reply.add(Done(Reason.END))
    close_step(step, reply)
    finish_turn(step.turn_id, owner=OWNER, sent=[])


def words_of(step: Step) -> list[str]:
    return [text_of(message.parts) for message in step.request.messages]


def histories_asked_for(work: Callable[[], Step]) -> tuple[Step, int]:
    with CaptureQueriesContext(connection) as statements:
        step = work()
    return step, sum(HISTORY in statement["sql"] for statement in statements)


def test_the_first_message_of_a_thread_asks_the_table_nothing(anna: User):
    step, asked = histories_asked_for(lambda: ask(anna, 1, "One"))
    assert words_of(step) == ["One"]
    assert asked == 0


def test_nor_does_the_next_question(anna: User):
    answer(ask(anna, 1, "One"), "First.")
    step, asked = histories_asked_for(lambda: ask(anna, 2, "Two"))
    assert words_of(step) == ["One", "First.", "Two"]
    assert asked == 0


def test_an_empty_redis_costs_one_question_and_no_word(anna: User, redis: redis_client.Redis):
    answer(ask(anna, 1, "One"), "First.")
    redis.flushdb()
    step, asked = histories_asked_for(lambda: ask(anna, 2, "Two"))
    assert words_of(step) == ["One", "First.", "Two"]
    assert asked == 1
    answer(step, "Second.")
    step, asked = histories_asked_for(lambda: ask(anna, 3, "Three"))
    assert words_of(step) == ["One", "First.", "Two", "Second.", "Three"]
    assert asked == 0


def test_a_copy_that_is_one_message_short_is_made_whole_by_the_table(anna: User, redis: redis_client.Redis):
    """As after a kill between the commit and the word to the cache."""
    answer(ask(anna, 1, "One"), "First.")
    (key,) = redis.keys("context:thread:*:messages")
    redis.rpop(key)
    redis.lset(key, 0, int(redis.lindex(key, 0)) - 1)
    step, asked = histories_asked_for(lambda: ask(anna, 2, "Two"))
    assert words_of(step) == ["One", "First.", "Two"]
    assert asked == 1


def test_words_that_were_cut_and_asked_anew_are_said_no_more(anna: User):
    step = ask(anna, 1, "One")
    answer(step, "Hal", whole=False)
    Turn.objects.filter(pk=step.turn_id).update(state="failed", failure="cut")
    claim = retry_turn(step.turn_id, user_id=anna.pk, owner=OWNER, models=models())
    assert claim.step is not None
    assert words_of(claim.step) == ["One"]
    answer(claim.step, "Half and whole.")
    assert words_of(ask(anna, 2, "Two")) == ["One", "Half and whole.", "Two"]


def test_what_is_cached_is_what_the_table_says(anna: User, redis: redis_client.Redis):
    for number in range(1, 5):
        answer(ask(anna, number, f"Question {number}"), f"Answer {number} 😀 \x1f")
    (key,) = redis.keys("context:thread:*:messages")
    last, *bodies = redis.lrange(key, 0, -1)
    thread = Thread.objects.get()
    assert int(last) == thread.last_seq
    cached = [(row[1], json.loads(row[2])[0]["text"]) for row in map(json.loads, bodies)]
    assert cached == [(row.role, text_of(row.parts)) for row in rows_of(said_in(thread))]
