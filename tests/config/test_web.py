"""What the web server answers, and what `check --deploy` refuses."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis as redis_client
from django.conf import settings
from django.test import Client

from config.checks import redis_keeps_what_has_no_ttl
from config.local import Redis
from tests.config.processes import free_port

ROOT = Path(__file__).resolve().parents[2]
PROBE = """
from config.start import set_up
set_up()
from django.test import Client
answer = Client().get("/health")
print(answer.status_code, answer.content.decode())
"""


def health(**environment: str) -> str:
    end = subprocess.run(
        [sys.executable, "-c", PROBE],
        cwd=ROOT,
        env={**os.environ, "ALLOWED_HOSTS": "testserver", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return end.stdout.strip()


@pytest.mark.django_db
def test_health_is_ok_when_both_servers_answer(client: Client) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": "ok", "redis": "ok"}


@pytest.mark.processes
def test_health_names_the_server_that_is_down() -> None:
    away = f"127.0.0.1:{free_port()}"
    assert health(DATABASE_URL=f"postgres://u:p@{away}/x") == (
        '503 {"status": "down", "database": "down", "redis": "ok"}'
    )
    assert (
        health(REDIS_URL=f"redis://{away}/0") == '503 {"status": "down", "database": "ok", "redis": "down"}'
    )


@pytest.mark.django_db
def test_the_root_leads_to_the_admin(client: Client) -> None:
    assert client.get("/", follow=True).redirect_chain[-1][0].startswith("/admin/login/")


def test_cookies_and_redirects_insist_on_https_only_when_told_to() -> None:
    assert not settings.SESSION_COOKIE_SECURE, "the login on http://127.0.0.1 must work"


@pytest.mark.processes
def test_a_redis_that_may_evict_events_is_refused_in_words(own_redis: Redis, settings: Any) -> None:
    settings.REDIS_URL = own_redis.place.redis_url()
    assert redis_keeps_what_has_no_ttl() == []
    with redis_client.Redis.from_url(settings.REDIS_URL) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    [refusal] = redis_keeps_what_has_no_ttl()
    assert "maxmemory-policy allkeys-lru" in refusal.msg

    end = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**os.environ, "REDIS_URL": own_redis.place.redis_url()},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert end.returncode == 1
    assert "starling.E001" in end.stderr


@pytest.mark.processes
def test_the_admin_works_without_redis(own_redis: Redis) -> None:
    script = (
        "from config.start import set_up; set_up()\n"
        "from django.test import Client; print(Client().get('/admin/login/').status_code)"
    )
    own_redis.stop(at_once=True)
    end = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "REDIS_URL": own_redis.place.redis_url(), "ALLOWED_HOSTS": "testserver"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert end.stdout.strip() == "200", end.stderr
