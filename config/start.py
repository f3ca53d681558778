"""How each role begins: with the settings, or with the one sentence that says what is wrong with them."""

import os
import sys

import django
from django.core.exceptions import ImproperlyConfigured


def set_up() -> None:
    """Set Django up; a wrong or missing variable ends the process with its sentence and no traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        django.setup()
    except ImproperlyConfigured as error:
        sys.exit(f"Starling cannot start: {error}")
