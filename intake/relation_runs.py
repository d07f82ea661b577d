"""Files of customers, companies and exposure counts on their way in: kept, begun, stored chunk by chunk, gone on with after a crash."""

import os
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext

from feedback_portal.accounts.models import User
from feedback_portal.marking import marked
from feedback_portal.pending import Drained, drain_outside
from feedback_portal.refusals import BadInput, Refused
from intake import relation_files
from intake.cleaning import clean_line
from intake.connectors.base import Unreadable
from intake.exposures import Count, take_counts
from intake.models import RelationFile, RelationNotice
from intake.occurrences import Occurrences
from intake.relation_files import Row
from intake.relations import Company, Person, Verdict, take_companies, take_people

State = RelationFile.State
CHUNK = 1000
SLICE = timedelta(seconds=60)
LEASE = timedelta(seconds=60)
FILES_KEPT = timedelta(days=30)
COUNTED = ("read", "created", "updated", "unchanged", "deleted", "skipped", "failed")
_DUE: Mapping[str, Any] = {
    "completed_at": None,
    "parked_at": None,
    "attempts": 0,
    "lease_token": None,
    "next_attempt_at": Now(),
}


class FileRefused(BadInput):
    code = "file-refused"
    title = marked("This file cannot be taken in")


class NotNow(Refused):
    status = 409
    code = "import-not-now"
    title = marked("This file is not at that point")


class _Stopped(Exception):
    """A person cancelled it, or another worker has it: nothing more of ours is stored."""


def upload(file: BinaryIO, *, name: str, by: User | None, told: Mapping[str, Any]) -> RelationFile:
    """Keep a file and wait for `begin`; `FileRefused` for one that cannot be read at all."""
    try:
        with relation_files.opened(file, settings=told) as sheet:
            kind = sheet.kind
    except Unreadable as reason:
        raise FileRefused(str(reason)) from None
    run = RelationFile(kind=kind, settings=dict(told), file_name=os.path.basename(name)[-200:] or "file", started_by=by)
    run.stored_as = f"imports/{uuid.uuid4()}"
    path = file_of(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.seek(0)
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as kept:
        shutil.copyfileobj(file, kept, 1 << 20)
        kept.flush()
        os.fsync(kept.fileno())
    run.size = path.stat().st_size
    with transaction.atomic():
        run.save()
        # Nobody has to look at it before it is begun.
        RelationFile.objects.filter(pk=run.pk).update(completed_at=Now())
    return run


def begin(run: RelationFile, *, told: Mapping[str, Any]) -> None:
    """Let the workers take it in, read as it is told to be."""
    with file_of(run).open("rb") as file:
        try:
            with relation_files.opened(file, settings=told) as sheet:
                sheet.check()
                kind = sheet.kind
        except Unreadable as reason:
            raise FileRefused(str(reason)) from None
    _move(run, State.WAITING, since=[State.UPLOADED], settings=dict(told), kind=kind, **_DUE)


def cancel(run: RelationFile) -> None:
    """What is stored stays."""
    since = [State.UPLOADED, State.WAITING, State.RUNNING]
    _move(run, State.CANCELLED, since=since, finished_at=Now(), completed_at=Now(), lease_token=None, stored_as="")


def take_in_pending(*, at: datetime) -> Drained:
    """Go on with every file that is due, one slice each."""

    def act(run: RelationFile) -> bool:
        return _go_on(run, at=at, until=monotonic() + SLICE.total_seconds())

    def record(run: RelationFile, is_finished: bool) -> None:
        if not is_finished:
            RelationFile.objects.filter(pk=run.pk).update(**_DUE)

    return drain_outside(RelationFile.objects.all(), act, record, batch=1, lease=LEASE)


def take_file(
    path: Path,
    *,
    told: Mapping[str, Any],
    at: datetime,
    dry_run: bool = False,
    notice: Callable[[RelationNotice], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Counter[str]:
    """Take a file in now, in this process; the same file again changes nothing. A dry run counts the same and writes nothing."""
    counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
    try:
        with (
            path.open("rb") as file,
            relation_files.opened(file, settings=told) as sheet,
            closing(Occurrences()) as seen,
        ):
            sheet.check()
            for rows in _chunks(sheet.rows()):
                with transaction.atomic():
                    verdicts = _taken(rows, at=at)
                    if dry_run:
                        # What an earlier chunk would have made is not there for this one to find.
                        verdicts = [_seen_before(row, each, seen) for row, each in zip(rows, verdicts, strict=True)]
                        transaction.set_rollback(True)
                counts.update(_counted(rows, verdicts))
                for each in _notices(rows, verdicts) if notice else ():
                    notice(each)  # type: ignore[misc]
                if progress:
                    progress(counts["read"])
    except OSError as error:
        raise FileRefused(f"{path} cannot be read: {error.strerror or error}. Name a file that can be read.") from None
    except Unreadable as reason:
        raise FileRefused(str(reason)) from None
    return counts


def file_of(run: RelationFile) -> Path:
    return Path(settings.STATE_DIR) / run.stored_as


def forget_files(*, at: datetime) -> int:
    """Cancel files that nobody began for long; how many went."""
    old = RelationFile.objects.filter(state=State.UPLOADED, created_at__lt=at - FILES_KEPT)
    waiting = list(old.order_by("pk")[:100])
    for run in waiting:
        cancel(run)
    return len(waiting)


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def _taken(rows: Sequence[Row], *, at: datetime) -> list[Verdict | None]:
    """A verdict for each row that says something."""
    places = [place for place, row in enumerate(rows) if row.said is not None]
    said = [rows[place].said for place in places]
    verdicts: list[Verdict | None] = [None] * len(rows)
    if not said:
        return verdicts
    if isinstance(said[0], tuple):
        found = _by_row(cast(list[tuple[Count, ...]], said))
    elif isinstance(said[0], Person):
        found = take_people(cast(list[Person], said), at=at)
    else:
        found = take_companies(cast(list[Company], said), at=at)
    for place, verdict in zip(places, found, strict=True):
        verdicts[place] = verdict
    return verdicts


def _by_row(said: Sequence[tuple[Count, ...]]) -> list[Verdict]:
    """A row of several counts is as new as the newest of them."""
    each = iter(take_counts([count for counts in said for count in counts]))
    order = ("created", "updated", "unchanged", "skipped")
    return [min((next(each) for _ in counts), key=lambda verdict: order.index(verdict.status)) for counts in said]


def _seen_before(row: Row, verdict: Verdict | None, seen: Occurrences) -> Verdict | None:
    if verdict is None or verdict.status != "created":
        return verdict
    times = [seen.count(repr(each).encode()) for each in _known_by(row.said)]
    return verdict if min(times, default=1) == 1 else Verdict("updated", None, verdict.reason)


def _known_by(said: Person | Company | tuple[Count, ...] | None) -> list[object]:
    if isinstance(said, Person):
        return [said.ids[:1] or said.email.lower()]
    if isinstance(said, Company):
        return [said.ids[:1] or said.domain or said.name]
    return [(each.kind, each.product, each.site, each.day) for each in said or ()]


def _counted(rows: Sequence[Row], verdicts: Sequence[Verdict | None]) -> Counter[str]:
    """Every row once: read is created + updated + unchanged + deleted + skipped + failed."""
    counts = Counter({"read": len(rows)})
    for row, verdict in zip(rows, verdicts, strict=True):
        counts[verdict.status if verdict is not None else "failed" if row.is_failure else "skipped"] += 1
    return counts


def _notices(rows: Sequence[Row], verdicts: Sequence[Verdict | None]) -> Iterator[RelationNotice]:
    for row, verdict in zip(rows, verdicts, strict=True):
        if row.reason:
            yield _notice(row.number, row.column, row.reason, is_failure=row.is_failure)
        for column, reason in row.remarks if row.said is not None else ():
            yield _notice(row.number, column, reason)
        if verdict is not None and verdict.reason:
            yield _notice(row.number, "", verdict.reason)


def _notice(row: int, column: str, reason: str, *, is_failure: bool = False) -> RelationNotice:
    column, reason = clean_line(column, longest=200), clean_line(reason, longest=1000)
    return RelationNotice(row=row, column=column, reason=reason, is_failure=is_failure)


def _move(run: RelationFile, to: str, *, since: Sequence[str], **changes: Any) -> None:
    """Compare and set: a click that comes too late changes nothing."""
    path = file_of(run)
    if not RelationFile.objects.filter(pk=run.pk, state__in=since).update(state=to, **changes):
        run.refresh_from_db(fields=["state"])
        raise NotNow(
            gettext("This file has moved on by now, to: %(state)s. Load the page again.")
            % {"state": run.get_state_display()}
        )
    run.state = to
    if changes.get("stored_as") == "":
        path.unlink(missing_ok=True)


def _go_on(run: RelationFile, *, at: datetime, until: float) -> bool:
    """Store chunk after chunk from where it stands; True when there is nothing left to do for now or ever."""
    try:
        with file_of(run).open("rb") as file, relation_files.opened(file, settings=run.settings) as sheet:
            sheet.check()
            for rows in _chunks(islice(sheet.rows(), run.read, None)):
                _store(run, rows, read_bytes=file.tell(), at=at)
                if monotonic() > until:
                    return False
    except _Stopped:
        return True
    except OSError as error:
        _end(run, State.REFUSED, f"The file cannot be read: {error.strerror or error}. Send it again.")
        return True
    except Unreadable as reason:
        _end(run, State.REFUSED, str(reason))
        return True
    _end(run, State.DONE)
    return True


def _store(run: RelationFile, rows: Sequence[Row], *, read_bytes: int, at: datetime) -> None:
    """One chunk with everything it comes to and the place it ends at, in one transaction, if it is still ours to store."""
    with transaction.atomic():
        verdicts = _taken(rows, at=at)
        counts = _counted(rows, verdicts)
        notices = list(_notices(rows, verdicts))
        for each in notices:
            each.run = run
        RelationNotice.objects.bulk_create(notices)
        mine = RelationFile.objects.filter(
            pk=run.pk, lease_token=run.lease_token, state__in=[State.WAITING, State.RUNNING], read=run.read
        )
        added = {name: F(name) + counts[name] for name in COUNTED}
        life = {"attempts": 0, "next_attempt_at": Now() + LEASE, "state": State.RUNNING}
        if not mine.update(**added, **life, read_bytes=min(read_bytes, run.size)):
            raise _Stopped
    run.read += len(rows)


def _end(run: RelationFile, state: str, reason: str = "") -> None:
    """The file goes with it: its rows are in, or never will be."""
    ours = RelationFile.objects.filter(pk=run.pk, lease_token=run.lease_token, state__in=[State.WAITING, State.RUNNING])
    path = file_of(run)
    if ours.update(state=state, refused_reason=reason, finished_at=Now(), read_bytes=F("size"), stored_as=""):
        path.unlink(missing_ok=True)
