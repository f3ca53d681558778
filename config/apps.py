"""The frame as a Django app: it brings the Celery app and the system checks with it, and has no tables."""

from django.apps import AppConfig

from config import celery, checks

__all__ = ["FrameConfig", "celery", "checks"]


class FrameConfig(AppConfig):
    name = "config"
    verbose_name = "Starling"
