"""Logging in to the admin: no more than a few wrong passwords in a row."""

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.cache import cache
from django.core.exceptions import ValidationError

if TYPE_CHECKING:  # unfold has no types; its form is this one with other clothes
    from django.contrib.admin.forms import AdminAuthenticationForm as AuthenticationForm
else:
    from unfold.forms import AuthenticationForm

FAILURES_MAX = 10  # of one name from one address …
WAIT_SECONDS = 15 * 60  # … in this time

log = structlog.get_logger(__name__)


class LoginForm(AuthenticationForm):
    """Refuses a name and address after FAILURES_MAX wrong passwords, the right one too, for a while.

    The count is kept in the cache: without Redis nobody is kept out, and nobody is counted.
    """

    def clean(self) -> dict[str, Any]:
        key = self._key()
        if cache.get(key, 0) >= FAILURES_MAX:
            log.warning("login.refused", name=self.cleaned_data.get("username"))
            raise ValidationError(f"Too many wrong passwords. Try again in {WAIT_SECONDS // 60} minutes.")
        try:
            cleaned: dict[str, Any] = super().clean()
        except ValidationError:
            cache.add(key, 0, WAIT_SECONDS)
            with suppress(ValueError):  # it ran out just now
                cache.incr(key)
            raise
        cache.delete(key)
        self._keep_in_log()
        return cleaned

    def _keep_in_log(self) -> None:
        """A login is an act of staff like any other."""
        staff = self.get_user()
        assert staff is not None and self.request is not None, "the password was right"  # noqa: PT018
        words = f"Logged in from {self.request.META.get('REMOTE_ADDR', 'an unknown address')}."
        LogEntry.objects.log_actions(staff.pk, [staff], CHANGE, change_message=words, single_object=True)

    def _key(self) -> str:
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        name = str(self.cleaned_data.get("username", "")).lower()
        return "login:" + hashlib.sha256(f"{address} {name}".encode()).hexdigest()
