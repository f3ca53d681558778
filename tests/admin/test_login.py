"""The door: wrong passwords are counted, and pages say what may run in them."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.login import FAILURES_MAX
from accounts.models import Staff
from tests.admin.conftest import at_desk


@pytest.fixture
def greta(db: None) -> Staff:
    return Staff.objects.create_user("greta", password="right", is_staff=True)


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """The real hash is slow on purpose."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def log_in(password: str, *, address: str = "10.0.0.1") -> bool:
    where = f"{reverse('admin:login')}?next=/admin/"
    answer = Client().post(where, {"username": "greta", "password": password}, REMOTE_ADDR=address)
    return answer.status_code == 302


def test_the_right_password_opens(greta: Staff) -> None:
    assert not log_in("wrong")
    assert log_in("right")


def test_after_too_many_wrong_passwords_the_right_one_is_refused_too(greta: Staff) -> None:
    for _ in range(FAILURES_MAX):
        assert not log_in("wrong")
    assert not log_in("right")
    assert log_in("right", address="10.0.0.2")


def test_a_right_password_begins_the_count_anew(greta: Staff) -> None:
    for _ in range(3):
        for _ in range(FAILURES_MAX - 1):
            log_in("wrong")
        assert log_in("right")


def test_a_session_begins_anew_at_login(greta: Staff) -> None:
    client = Client()
    client.get(reverse("admin:login"))
    client.session["planted"] = True
    client.session.save()
    before = client.session.session_key
    client.post(f"{reverse('admin:login')}?next=/admin/", {"username": "greta", "password": "right"})
    assert client.session.session_key != before


def test_pages_say_that_no_inline_script_runs_and_nobody_frames_them(root: Staff) -> None:
    response = at_desk(root).get(reverse("admin:index"))
    policy = dict(part.split(" ", 1) for part in response["Content-Security-Policy"].split("; "))
    assert "'unsafe-inline'" not in policy["script-src"]
    assert policy["frame-ancestors"] == "'none'"
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_a_strange_host_name_is_refused(db: None) -> None:
    assert Client().get(reverse("admin:login"), HTTP_HOST="evil.example").status_code == 400
