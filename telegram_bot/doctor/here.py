"""This machine: the sandbox, formulas, and the place where files are kept."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError
from django.db.models import Sum

from conversations.contracts import ToolFailed
from conversations.models import UserFile
from telegram_bot.doctor.findings import Check, Finding, bad, look, well
from tools.catalog import _formula, _latex
from tools.sandbox import sandbox, trouble, why_not

FREE_BYTES_MIN = 1024**3
GIB = 1024**3
PROBE = b"written by manage.py doctor"
FORMULA = r"\frac{a}{b}"
DPI = 150


def _sandbox() -> Iterator[Finding]:
    place = sandbox()
    if place is not None and place.company:
        why = trouble()
        yield (
            bad(f"Python cannot run at {place.company}: {why}")
            if why
            else well(f"Python can run at {place.company}.")
        )
    elif place is not None:
        yield well("Python can run here, in a sandbox.")
    elif settings.SANDBOX == "local":
        yield bad(f"SANDBOX is local, but Python cannot run here: {why_not()}")
    else:
        yield look(f"Python is not offered to the models: {why_not()}")


def _formulas() -> Iterator[Finding]:
    try:
        asyncio.run(_formula.draw(FORMULA, DPI))
    except ToolFailed as failed:
        yield bad(f"Formulas cannot be drawn: {failed} Install the packages of requirements.txt again.")
        return
    finally:
        _formula.stop()
    also = ", and LaTeX is there for what ziamath cannot" if _latex.is_installed() else ""
    yield well(f"Formulas can be drawn{also}.")
    if not also:
        yield look("No latex and dvipng here: rare commands in formulas are refused. Both are optional.")


def _storage() -> Iterator[Finding]:
    try:
        name = default_storage.save("doctor/probe.txt", ContentFile(PROBE))
        with default_storage.open(name) as kept:
            whole = kept.read() == PROBE
        default_storage.delete(name)
        free = shutil.disk_usage(_existing(Path(settings.MEDIA_ROOT))).free
    except OSError as error:
        yield bad(
            f"Files cannot be kept in MEDIA_ROOT ({error.strerror}): give this user the right to write there."
        )
        return
    if not whole:
        yield bad("What is written to MEDIA_ROOT does not come back as it was: look at its disk.")
    yield well(f"Files can be kept in MEDIA_ROOT{_size()}; {free / GIB:,.1f} GiB are free.")
    if free < FREE_BYTES_MIN:
        yield bad("Less than 1 GiB is free where files are kept: make room before it is full.")


def _size() -> str:
    try:
        total = UserFile.objects.aggregate(bytes=Sum("size"))["bytes"] or 0
    except DatabaseError:
        return ""
    return f", {total / GIB:,.1f} GiB of people's so far"


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


CHECKS = (
    Check("The sandbox", _sandbox, seconds=15),
    Check("Drawing a formula", _formulas, seconds=15),
    Check("MEDIA_ROOT", _storage),
)
