"""Downloads under the server that is used: piece by piece, without a warning, the same bytes as ever."""

import csv
import io
import warnings
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import AsyncClient, Client
from django.urls import reverse

from accounts.models import Staff, User
from config.aio import in_db
from tests.admin.conftest import make_everything


@pytest.fixture
def exporter() -> Any:
    return in_db(lambda: Staff.objects.create_superuser("root"))


def large_file() -> dict[str, Any]:
    rows = make_everything(3, "text")
    rows["userfile"].stored.save("content", ContentFile(b"word " * 5_000))
    return rows


async def downloaded(staff: Staff, address: str) -> bytes:
    client = AsyncClient()
    await client.aforce_login(staff)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        response = await client.get(address)
        assert response.status_code == 200
        assert response.is_async
        return b"".join([piece async for piece in response.streaming_content])


@pytest.mark.django_db(transaction=True)
async def test_an_export_under_asgi_is_read_piece_by_piece(exporter: Any) -> None:
    await in_db(User.objects.bulk_create)([User(telegram_id=number) for number in range(1, 1_201)])
    content = await downloaded(await exporter(), reverse("admin:accounts_user_export_people"))
    header, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig")))
    assert header[:2] == ["id", "telegram_id"]
    assert [row[1] for row in rows] == [str(number) for number in range(1, 1_201)]


@pytest.mark.django_db(transaction=True)
async def test_a_file_under_asgi_is_read_piece_by_piece(exporter: Any) -> None:
    rows = await in_db(large_file)()
    address = reverse("admin:conversations_userfile_content", args=[rows["userfile"].pk])
    assert await downloaded(await exporter(), address) == b"word " * 5_000


@pytest.mark.django_db
def test_under_wsgi_it_is_the_same_bytes(tmp_path: Any) -> None:
    rows = large_file()
    client = Client()
    client.force_login(Staff.objects.create_superuser("root"))
    address = reverse("admin:conversations_userfile_content", args=[rows["userfile"].pk])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert client.get(address).getvalue() == b"word " * 5_000
