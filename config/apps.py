"""The frame as a Django app: it brings the Celery app and the system checks with it, and has no tables."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from config import celery, checks, staff

__all__ = ["FrameConfig", "celery", "checks"]


class FrameConfig(AppConfig):
    name = "config"
    verbose_name = "Starling"

    def ready(self) -> None:
        post_migrate.connect(staff.make_permissions_and_groups, sender=staff.last_app())
