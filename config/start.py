"""How each role begins: with the settings, or with the one sentence that says what is wrong with them."""

import contextlib
import os
import sys
from collections.abc import Iterator

import django
from django.core.exceptions import ImproperlyConfigured


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """End the process with the sentence of a wrong or missing variable, and without a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        yield
    except ImproperlyConfigured as error:
        sys.exit(f"Starling cannot start: {error}")


def set_up() -> None:
    with one_sentence():
        django.setup()
