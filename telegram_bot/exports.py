"""/export: a row that promises it, a worker that gathers it, a bot that delivers it piece by piece."""

from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.crypto import get_random_string

from telegram_bot.export_contents import gathered
from telegram_bot.models import Export

FOLDER = "exports"  # in storage
ATTEMPTS_MAX = 3  # workers that may begin to gather one
LEASE = timedelta(minutes=5)  # more than one piece takes to upload
KEPT_FOR = timedelta(days=1)  # what nobody could be given is not kept for ever

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece for its person; without a name there is none, and they are told that it failed."""

    export_id: int
    chat_id: int  # Telegram's
    language: str
    name: str
    number: int
    of: int


def request_export(user_id: int, language: str) -> int | None:
    """Promise it; None when one is promised already."""
    export, made = Export.objects.exclude(state=Export.State.CLOSED).get_or_create(
        user_id=user_id, defaults={"language": language}
    )
    return export.pk if made else None


def requested() -> list[int]:
    waiting = Export.objects.filter(state=Export.State.REQUESTED)
    return list(waiting.order_by("pk").values_list("pk", flat=True))


def gather(export_id: int) -> bool:
    """Gather one export into storage; False when it is no longer wanted or another worker is at it.

    The row is locked meanwhile, so a worker that dies gives it up by dying.
    """
    if not _begin(export_id):
        return False
    with transaction.atomic():
        rows = Export.objects.select_for_update(skip_locked=True, of=("self",)).select_related("user")
        export = rows.filter(pk=export_id, state=Export.State.REQUESTED).first()
        if export is None:
            return False
        export.pieces = []
        for archive in gathered(export.user, export.language):
            with archive:
                name = f"{FOLDER}/{get_random_string(32)}.zip"
                export.pieces.append(default_storage.save(name, File(archive)))
        export.parts, export.state = len(export.pieces), Export.State.GATHERED
        export.save(update_fields=["pieces", "parts", "state"])
    log.info("export.gathered", export=export_id, pieces=export.parts)
    return True


@transaction.atomic
def _begin(export_id: int) -> bool:
    """Count the attempt before it is made: one that kills its worker every time must come to an end."""
    rows = Export.objects.select_for_update(skip_locked=True)
    export = rows.filter(pk=export_id, state=Export.State.REQUESTED).first()
    if export is None:
        return False
    export.attempts += 1
    if export.attempts > ATTEMPTS_MAX:
        export.state = Export.State.FAILED
        log.error("export.failed", export=export_id, attempts=ATTEMPTS_MAX)
    export.save(update_fields=["attempts", "state"])
    return export.state == Export.State.REQUESTED


@transaction.atomic
def next_delivery() -> Piece | None:
    """What this bot is to deliver next; nobody else does so until the lease runs out."""
    ready = Q(state__in=(Export.State.GATHERED, Export.State.FAILED))
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
    rows = Export.objects.select_for_update(skip_locked=True, of=("self",)).select_related("user")
    export = rows.filter(ready & free).order_by("pk").first()
    if export is None:
        return None
    export.lease_until = Now() + LEASE
    export.save(update_fields=["lease_until"])
    return Piece(
        export_id=export.pk,
        chat_id=export.user.telegram_id or 0,
        language=export.language,
        name=export.pieces[0] if export.pieces else "",
        number=export.parts - len(export.pieces) + 1,
        of=export.parts,
    )


def read_piece(delivery: Piece) -> bytes:
    with default_storage.open(delivery.name) as piece:
        content: bytes = piece.read()
        return content


@transaction.atomic
def delivered(delivery: Piece) -> None:
    """The person has this piece: its bytes go, and with the last one the promise is kept."""
    export = Export.objects.select_for_update().filter(pk=delivery.export_id).first()
    if export is None:
        return
    if delivery.name:
        default_storage.delete(delivery.name)
    export.pieces = [name for name in export.pieces if name != delivery.name]
    export.lease_until = None
    if not export.pieces:
        export.state, export.closed_at = Export.State.CLOSED, Now()
    export.save(update_fields=["pieces", "lease_until", "state", "closed_at"])


@transaction.atomic
def give_up(delivery: Piece) -> None:
    """Nobody is there to take it: nothing of it is kept."""
    export = Export.objects.select_for_update().filter(pk=delivery.export_id).first()
    if export is not None:
        _close(export)


def discard_old() -> int:
    """Forget what could not be delivered in a day, and what a worker that was killed left in storage."""
    old = Export.objects.filter(created_at__lt=Now() - KEPT_FOR).exclude(state=Export.State.CLOSED)
    for export in old:
        _close(export)
    _, names = default_storage.listdir(FOLDER) if default_storage.exists(FOLDER) else ([], [])
    for name in (f"{FOLDER}/{name}" for name in names):
        if default_storage.get_modified_time(name) < timezone.now() - KEPT_FOR:
            default_storage.delete(name)
    return len(old)


def discard(export: Export) -> None:
    """An export of somebody who is erased: the bytes, then the row."""
    for name in export.pieces:
        default_storage.delete(name)
    export.delete()


def _close(export: Export) -> None:
    for name in export.pieces:
        default_storage.delete(name)
    export.pieces, export.state, export.closed_at = [], Export.State.CLOSED, Now()
    export.save(update_fields=["pieces", "state", "closed_at"])
