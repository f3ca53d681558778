"""What people and models said is closed: to everybody but those who may read it, and they leave a trace."""

import json
import uuid
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from accounts.admin_pages import WordsPage, address_of, list_address
from accounts.models import Staff
from conversations import write_behind
from conversations.models import DeadEvent
from tests.admin.conftest import at_desk, make_everything
from tools.models import ToolCall

SECRET = "the-secret-words"
WITH_WORDS = [model for model, page in admin.site._registry.items() if isinstance(page, WordsPage)]


@pytest.fixture
def rita(sofia: Staff) -> Staff:
    """Of Support, and may read."""
    sofia.user_permissions.add(Permission.objects.get(codename="read_words"))
    return sofia


def test_the_models_with_words_are_known() -> None:
    assert {model.__name__ for model in WITH_WORDS} == {
        "User", "Thread", "Turn", "Message", "ToolCall", "LongRun", "Update", "DeadEvent"
    }  # fmt: skip


def test_no_page_shows_words_to_who_does_not_ask(root: Staff) -> None:
    rows, desk = make_everything(3, "text", words=SECRET), at_desk(root)
    for model in admin.site._registry:
        row = rows[model._meta.model_name]
        for address in (list_address(model), f"{list_address(model)}?q=text", address_of(row)):
            response = desk.get(address)
            assert response.status_code == 200
            assert SECRET not in response.content.decode(), address
    assert LogEntry.objects.filter(user=root).count() == 0


@pytest.mark.parametrize("model", WITH_WORDS)
def test_words_are_shown_to_who_may_read_and_each_look_is_logged(model: Any, rita: Staff) -> None:
    row = make_everything(3, "text", words=SECRET)[model._meta.model_name]
    for look in (1, 2):
        body = at_desk(rita).get(f"{address_of(row)}?words=1").content.decode()
        assert SECRET in body
        entries = LogEntry.objects.filter(user=rita, object_id=str(row.pk), change_message="Read the words.")
        assert entries.count() == look


@pytest.mark.parametrize("model", WITH_WORDS)
def test_words_are_closed_to_who_may_not_read(model: Any, sofia: Staff) -> None:
    row = make_everything(3, "text", words=SECRET)[model._meta.model_name]
    desk = at_desk(sofia)
    assert desk.get(f"{address_of(row)}?words=1").status_code == 403
    assert "Read the words" not in desk.get(address_of(row)).content.decode()
    assert not LogEntry.objects.filter(user=sofia).exists()


@pytest.mark.parametrize("model", WITH_WORDS)
def test_no_list_can_be_filtered_by_words(model: Any, sofia: Staff) -> None:
    make_everything(3, "text", words=SECRET)
    desk = at_desk(sofia)
    assert desk.get(f"{list_address(model)}?pk__isnull=0").status_code == 200
    for field in admin.site._registry[model].closed:
        response = desk.get(f"{list_address(model)}?{field}__contains=secret")
        assert response.status_code == 400, field


def test_neither_group_may_read_words_from_the_start(sofia: Staff, felix: Staff, root: Staff) -> None:
    assert [staff.has_perm("conversations.read_words") for staff in (sofia, felix, root)] == [
        False,
        False,
        True,
    ]


def test_a_file_is_fetched_by_who_may_read_only_and_never_shown_as_a_page(sofia: Staff) -> None:
    file = make_everything(3, "text", words=SECRET)["userfile"]
    address = reverse("admin:conversations_userfile_content", args=[file.pk])
    assert at_desk(sofia).get(address).status_code == 403
    sofia.user_permissions.add(Permission.objects.get(codename="read_words"))
    response = at_desk(Staff.objects.get(pk=sofia.pk)).get(address)
    assert b"".join(response.streaming_content) == SECRET.encode()
    assert response["Content-Disposition"].startswith("attachment")
    assert response["Content-Type"] == "application/octet-stream"
    assert LogEntry.objects.get(user=sofia).change_message == "Downloaded the file."


# Dead events -------------------------------------------------------------------------------------


@pytest.fixture
def dead(db: None) -> DeadEvent:
    """A tool call that could not be written, although nothing is wrong with it now."""
    rows = make_everything(9, "text")
    payload = {
        "id": str(uuid.uuid4()),
        "user_id": rows["user"].pk,
        "thread_id": rows["thread"].pk,
        "turn_id": rows["turn"].pk,
        "call_id": "call_9",
        "name": "render_latex",
        "arguments": "{}",
        "result": "A picture.",
        "files": [],
        "status": "done",
        "seconds": 0.3,
        "cost": "0",
        "error": "",
        "started_at": timezone.now().isoformat(),
    }
    return DeadEvent.objects.create(
        id=uuid.uuid4(),
        kind="tool_call",
        payload=json.dumps(payload),
        error="ProgrammingError: no table yet",
        attempts=3,
        happened_at=timezone.now(),
    )


def act(staff: Staff, action: str, event: DeadEvent) -> None:
    at_desk(staff).post(list_address(DeadEvent), {"action": action, "_selected_action": [str(event.pk)]})


def test_a_dead_event_is_queued_again_and_written(sofia: Staff, dead: DeadEvent) -> None:
    act(sofia, "replay", dead)
    assert not DeadEvent.objects.filter(pk=dead.pk).exists()
    write_behind.flush()
    assert ToolCall.objects.filter(call_id="call_9").exists()
    assert LogEntry.objects.get(user=sofia).change_message == "Queued again."


def test_a_dead_event_that_nobody_can_write_stays(sofia: Staff) -> None:
    event: DeadEvent = make_everything(3, "nobody's")["deadevent"]
    act(sofia, "replay", event)
    assert DeadEvent.objects.filter(pk=event.pk).exists()


def test_only_who_may_delete_throws_a_dead_event_away(sofia: Staff, root: Staff, dead: DeadEvent) -> None:
    act(sofia, "discard", dead)
    assert DeadEvent.objects.filter(pk=dead.pk).exists()
    act(root, "discard", dead)
    assert not DeadEvent.objects.filter(pk=dead.pk).exists()
    assert LogEntry.objects.filter(user=root, object_id=str(dead.pk)).exists()
