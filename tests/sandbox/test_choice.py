"""Which sandbox an installation has: e2b with its key, else bubblewrap, else none."""

from collections.abc import Iterator

import pytest

from tools.catalog import offered
from tools.sandbox import sandbox, why_not
from tools.sandbox.local import confinement

HERE = "local" if not confinement()[0] else ""  # what this machine can do by itself


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    sandbox.cache_clear()
    yield
    sandbox.cache_clear()


@pytest.mark.parametrize(
    ("wish", "key", "has"),
    [
        ("auto", "a-key", "e2b"),
        ("auto", "", HERE),
        ("e2b", "a-key", "e2b"),
        ("local", "a-key", HERE),
        ("off", "a-key", ""),
    ],
)
def test_the_key_decides_unless_somebody_says_otherwise(settings, wish: str, key: str, has: str):
    settings.SANDBOX, settings.E2B_API_KEY = wish, key
    place = sandbox()
    assert (place.price_item.partition(":")[2] if place else "") == has
    assert ("execute_python" in offered()) == bool(place) == (not why_not())


def test_at_e2b_a_second_without_a_price_is_not_free(settings):
    settings.SANDBOX, settings.E2B_API_KEY = "e2b", "a-key"
    place = sandbox()
    assert place
    assert place.unpriced is None
    assert (
        "packages can be installed. It runs as a cell of a notebook"
        in offered()["execute_python"].description
    )
