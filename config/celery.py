"""The Celery app; its settings are the CELERY_… names of config/settings.py, the beat schedule among them."""

from celery import Celery
from celery.signals import setup_logging
from django.conf import settings

from config.start import one_sentence

with one_sentence():
    # Celery would read them later, inside a traceback of its own.
    settings.DATABASES  # noqa: B018

app = Celery("starling")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def keep_our_logging(**_signal: object) -> None:
    """Django has set the log up already: without a receiver here Celery would replace it."""


setup_logging.connect(keep_our_logging, weak=False)
