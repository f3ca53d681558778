"""Downloads that are written while they are read, whichever server asks for them.

Django's StreamingHttpResponse wants an asynchronous iterator under ASGI and a plain one under WSGI (and in
its test client); the other kind it reads whole into memory first, with a warning.
"""

from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

Piece = TypeVar("Piece", str, bytes)

PIECES_AT_ONCE = 500  # lines, or blocks of a file, fetched in one visit to the thread that has the database


def streamed(request: HttpRequest, pieces: Iterator[Piece]) -> Iterator[Piece] | AsyncIterator[Piece]:
    """The pieces of a download, in the shape this request's server reads them one by one in."""
    return _one_by_one(pieces) if isinstance(request, ASGIRequest) else pieces


async def _one_by_one(pieces: Iterator[Piece]) -> AsyncIterator[Piece]:
    @sync_to_async
    def some() -> list[Piece]:
        return list(islice(pieces, PIECES_AT_ONCE))

    while batch := await some():
        for piece in batch:
            yield piece
