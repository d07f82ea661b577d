"""Files of feedback on their way in: begun, stored chunk by chunk, paused, gone on with after a crash, and taken back."""

import os
import secrets
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext

from feedback_portal.accounts.models import User
from feedback_portal.marking import marked
from feedback_portal.pending import Drained, LostLease, drain_outside
from feedback_portal.refusals import BadInput, Refused
from intake import import_reports, normalizing, receiving
from intake.chunks import Chunk, Notice, chunks, read_ahead
from intake.connectors import connectors
from intake.connectors.base import FileConnector, RawItem, Unreadable
from intake.models import Arrival, Channel, FeedbackItem, Import, Submission
from intake.occurrences import Occurrences

State = Import.State
# How long a worker keeps at one file before others get their turn.
SLICE = timedelta(seconds=60)
# A chunk takes about a second; whoever is silent for so long is dead, and another goes on.
LEASE = timedelta(seconds=20)
FILES_KEPT = timedelta(days=30)
_COUNTED = ("read", "created", "updated", "duplicate", "skipped", "failed")
_TAKEN_BACK_AT_ONCE = 5000


@dataclass(frozen=True)
class Report:
    """What came of a file; created + updated + duplicate + skipped + failed is read.

    `updated` are rows that a later version of theirs replaced; any other row under a known id is kept beside the first
    for staff to see. `errors_file` lists the rows that were skipped, that failed, or of which something was left out.
    """

    read: int = 0
    created: int = 0
    updated: int = 0
    duplicate: int = 0
    skipped: int = 0
    failed: int = 0
    errors_file: str | None = None


class FileRefused(BadInput):
    code = "file-refused"
    title = marked("This file cannot be imported")


class NotNow(Refused):
    status = 409
    code = "import-not-now"
    title = marked("This import is not at that point")


class _Stopped(Exception):
    """A person paused or cancelled it, or another worker has it: nothing more of ours is stored."""


def upload(
    channel: Channel, file: BinaryIO, *, name: str, by: User | None = None, columns: Mapping[str, Any] | None = None
) -> Import:
    """Keep a file and wait for `begin`. `columns` are settings of the channel that this file needs; they join what the channel
    knows, so that what arrived can be read again later in the same way."""
    connector_of(channel)
    run = Import(
        channel=channel,
        settings=dict(columns or {}),
        file_name=os.path.basename(name)[-200:] or "file",
        started_by=by,
        state=State.UPLOADED,
    )
    run.stored_as = f"imports/{run.public_id}"
    path = file_of(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as kept:
        shutil.copyfileobj(file, kept, 1 << 20)
        kept.flush()
        os.fsync(kept.fileno())
    run.size = path.stat().st_size
    with transaction.atomic():
        if channel._state.adding:
            channel.save()
        run.save()
        _rest(run)
    return run


def begin(run: Import, *, columns: Mapping[str, Any] | None = None) -> None:
    """Let the workers take it in."""
    if columns is not None:
        run.settings = dict(columns)
    with transaction.atomic():
        _move(run, State.WAITING, since=[State.UPLOADED], settings=run.settings, **_DUE)
        channel = Channel.objects.select_for_update().get(pk=run.channel_id)
        channel.settings = _joined(channel.settings, run.settings)
        channel.save(update_fields=["settings"])


def pause(run: Import) -> None:
    """What is stored stays; nothing more is, until it is resumed."""
    _move(run, State.PAUSED, since=[State.WAITING, State.RUNNING], **_AT_REST)


def resume(run: Import) -> None:
    _move(run, State.WAITING, since=[State.PAUSED], **_DUE)


def cancel(run: Import) -> None:
    """What is stored stays, and can be taken back."""
    since = [State.UPLOADED, State.WAITING, State.RUNNING, State.PAUSED]
    _move(run, State.CANCELLED, since=since, finished_at=Now(), **_AT_REST)


def undo(run: Import) -> None:
    """Take back every item of it that nobody has decided yet; what was decided stays."""
    _move(run, State.UNDOING, since=[State.DONE, State.CANCELLED, State.REFUSED], taken_back_up_to=0, **_DUE)


def import_pending(*, at: datetime) -> Drained:
    """Go on with every import that is due, one slice each."""

    def act(run: Import) -> bool:
        if run.state == State.UNDOING:
            return _take_back(run)
        return _go_on(run, at=at, until=monotonic() + SLICE.total_seconds())

    return drain_outside(Import.objects.select_related("channel"), act, _recorded, batch=1, lease=LEASE)


def import_file(
    channel: Channel,
    path: Path,
    *,
    at: datetime,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
    notice: Callable[[Notice], None] | None = None,
) -> Report:
    """Take a file in now, in this process; were it to die, the workers would go on. The same file again creates nothing.

    A channel not yet saved is saved with the file. A dry run counts the same and writes nothing at all. `progress` is told how
    many rows were read after each chunk, `notice` what the errors file holds.
    """
    connector_of(channel)
    if not channel.is_enabled:
        raise receiving.ChannelClosed(
            gettext('The channel "%(slug)s" is switched off. Ask an administrator to switch it on.')
            % {"slug": channel.slug}
        )
    try:
        with path.open("rb") as file:
            if dry_run:
                return rehearse(channel, file, progress=progress, notice=notice)
            _look_at(channel, file)
            run = upload(channel, file, name=path.name)
    except OSError as error:
        raise FileRefused(f"{path} cannot be read: {error.strerror or error}. Name a file that can be read.") from None
    except Unreadable as reason:
        raise FileRefused(str(reason)) from None
    # Ours from the start, so that no worker takes it first.
    run.lease_token = uuid.uuid4()
    lease = {"lease_token": run.lease_token, "next_attempt_at": Now() + LEASE}
    _move(run, State.RUNNING, since=[State.UPLOADED], completed_at=None, **lease)
    _go_on(run, at=at, until=None, progress=progress)
    Import.objects.filter(pk=run.pk, lease_token=run.lease_token).update(**_AT_REST)
    return report(run, at=at)


def rehearse(
    channel: Channel,
    file: BinaryIO,
    *,
    progress: Callable[[int], None] | None = None,
    notice: Callable[[Notice], None] | None = None,
) -> Report:
    """What taking the file in would come to; writes nothing. Raises `Unreadable` for a file that would be refused."""
    counts: Counter[str] = Counter()
    with closing(Occurrences()) as seen:
        for chunk in chunks(channel, connector_of(channel), file):
            counts += chunk.counts + _rehearsed(channel, [raw for raw, _ in chunk.good], seen)
            for each in chunk.notices if notice else ():
                notice(each)  # type: ignore[misc]
            if progress and chunk.counts["read"]:
                progress(counts["read"])
    return Report(**{name: counts[name] for name in _COUNTED}, errors_file=None)


def report(run: Import, *, at: datetime) -> Report:
    """What came of it so far, with an errors file where there is something to tell."""
    run.refresh_from_db()
    if run.state == State.REFUSED:
        raise FileRefused(run.refused_reason)
    path = None
    if run.notices.exists():
        name = f"{run.channel.slug}-{at:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}.csv"
        path = Path(settings.STATE_DIR) / "imports" / name
        import_reports.write(run, path)
    return Report(**{name: getattr(run, name) for name in _COUNTED}, errors_file=str(path) if path else None)


def file_of(run: Import) -> Path:
    return Path(settings.STATE_DIR) / run.stored_as


def forget_files(*, at: datetime) -> int:
    """Delete the files of imports that ended long ago; how many went."""
    ended = [State.DONE, State.CANCELLED, State.REFUSED, State.UNDONE]
    past = Import.objects.filter(state__in=ended, created_at__lt=at - FILES_KEPT, channel__is_held=False)
    old = past.exclude(stored_as="")
    gone = 0
    for run in old.order_by("pk")[:100]:
        file_of(run).unlink(missing_ok=True)
        gone += Import.objects.filter(pk=run.pk).update(stored_as="")
    return gone


def channel_for(slug: str, *, kind: str = "", path: Path) -> Channel:
    """The channel a file comes through; where there is none, a new one of that kind, not yet saved."""
    known = Channel.objects.filter(slug=slug).first()
    if known is not None:
        if kind and kind != known.kind:
            raise FileRefused(
                f'The channel "{slug}" is of kind {known.kind}, not {kind}. Leave the kind out, or name another channel.'
            )
        return known
    if not kind:
        fitting = connector_for(path)
        hint = f"Add --connector {fitting.slug} to create it" if fitting else f"Name the kind of file: {_kinds()}"
        raise FileRefused(f'There is no channel "{slug}". {hint}, or name another one.')
    made = Channel(slug=slug, name=slug.replace("-", " ").replace("_", " ").capitalize(), kind=kind)
    connector_of(made)
    try:
        made.full_clean()
    except ValidationError as error:
        raise FileRefused(f'"{slug}" cannot be the slug of a channel: {" ".join(error.messages)}') from None
    return made


def connector_for(path: Path) -> FileConnector | None:
    """The kind of file that the ending of a name tells; of several, the one that reads what anybody has."""
    ending = path.suffix.lower()
    fitting = [each for each in file_connectors() if ending in each.extensions]
    return min(fitting, key=lambda each: not each.is_general, default=None)


def file_connectors() -> list[FileConnector]:
    return [each for each in connectors.all() if isinstance(each, FileConnector)]


def connector_of(channel: Channel) -> FileConnector:
    found = next((each for each in file_connectors() if each.slug == channel.kind), None)
    if found is None:
        raise FileRefused(f'The kind "{channel.kind}" takes no files. Use a channel of one of these kinds: {_kinds()}.')
    return found


def _kinds() -> str:
    return ", ".join(each.slug for each in file_connectors())


# A pending row that nobody has to look at, and one that is due at once.
_AT_REST: Mapping[str, Any] = {"completed_at": Now(), "lease_token": None}
_DUE: Mapping[str, Any] = {
    "completed_at": None,
    "parked_at": None,
    "attempts": 0,
    "lease_token": None,
    "next_attempt_at": Now(),
}


def _rest(run: Import) -> None:
    Import.objects.filter(pk=run.pk).update(**_AT_REST)


def _move(run: Import, to: str, *, since: Sequence[str], **changes: Any) -> None:
    """Compare and set: a click that comes too late changes nothing."""
    if not Import.objects.filter(pk=run.pk, state__in=since).update(state=to, **changes):
        run.refresh_from_db(fields=["state"])
        raise NotNow(
            gettext("This import has moved on by now, to: %(state)s. Load the page again.")
            % {"state": run.get_state_display()}
        )
    run.state = to


def _look_at(channel: Channel, file: BinaryIO) -> None:
    """Raise `Unreadable` for a file that would be refused at its first row, before anything is made of it."""
    with closing(connector_of(channel).rows(file, settings=channel.settings)) as rows:
        next(rows, None)
    file.seek(0)


def _joined(known: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """What earlier files called their columns stays known beside what this one calls them."""
    columns = {**known.get("columns", {}), **told.get("columns", {})}
    return {**known, **told, **({"columns": columns} if columns else {})}


def _go_on(run: Import, *, at: datetime, until: float | None, progress: Callable[[int], None] | None = None) -> bool:
    """Store chunk after chunk from where it stands; True when there is nothing left to do for now or ever."""
    try:
        with (
            file_of(run).open("rb") as file,
            read_ahead(chunks(run.channel, connector_of(run.channel), file, skip=run.read)) as ready,
        ):
            for chunk in ready:
                _store(run, chunk, at=at)
                if progress and chunk.counts["read"]:
                    progress(run.read)
                if until is not None and monotonic() > until:
                    return False
    except _Stopped:
        return True
    except OSError as error:
        _refuse(run, f"The file cannot be read: {error.strerror or error}. Send it again.")
        return True
    except (Unreadable, Refused) as reason:
        _refuse(run, str(reason))
        return True
    _end(run)
    return True


def _store(run: Import, chunk: Chunk, *, at: datetime) -> None:
    """One chunk with everything it comes to and the place it ends at, in one transaction, if it is still ours to store."""
    counts = Counter(chunk.counts)
    with transaction.atomic():
        stored = receiving.receive_read(run.channel, [raw for raw, _ in chunk.good], at=at, brought_by=run)
        read = [
            normalizing.Read(each.key, at, run.channel, draft)
            for each, (_, draft) in zip(stored, chunk.good, strict=True)
            if each.is_new and each.is_read
        ]
        normalizing.take_in(read, at=at)
        gone = sum(raw.is_gone and each.is_new for each, (raw, _) in zip(stored, chunk.good, strict=True))
        counts["skipped"] += gone  # deleted at the source before it ever came here
        counts["created"] = sum(each.is_new for each in stored) - gone
        counts["updated"] = sum(each.is_newer for each in stored)
        counts["duplicate"] = len(stored) - counts["created"] - counts["updated"] - gone
        import_reports.keep(run, chunk.notices)
        added = {name: F(name) + counts[name] for name in _COUNTED}
        # Getting on is proof of life: only a chunk that never gets stored uses up the attempts.
        life = {"attempts": 0, "next_attempt_at": Now() + LEASE, "state": State.RUNNING}
        mine = Import.objects.filter(
            pk=run.pk, lease_token=run.lease_token, state__in=[State.WAITING, State.RUNNING], read=run.read
        )
        if not mine.update(**added, **life, read_bytes=chunk.ends_at):
            raise _Stopped
    run.read += counts["read"]


def _end(run: Import) -> None:
    ours = Import.objects.filter(pk=run.pk, lease_token=run.lease_token, state__in=[State.WAITING, State.RUNNING])
    ours.update(state=State.DONE, finished_at=Now(), read_bytes=F("size"))


def _refuse(run: Import, reason: str) -> None:
    ours = Import.objects.filter(pk=run.pk, lease_token=run.lease_token, state__in=[State.WAITING, State.RUNNING])
    ours.update(state=State.REFUSED, refused_reason=reason, finished_at=Now())


def _recorded(run: Import, is_finished: bool) -> None:
    """Where more is to do it is due again at once, behind others that wait."""
    if not is_finished:
        Import.objects.filter(pk=run.pk).update(**_DUE)


def _take_back(run: Import) -> bool:
    """Some of its submissions: those without an item go, the others are given to the floor above, which knows what was
    decided. True when none is left."""
    with transaction.atomic():
        mine = Submission.objects.filter(brought_by=run, pk__gt=run.taken_back_up_to).order_by("pk")
        keys = list(mine.values_list("pk", flat=True)[:_TAKEN_BACK_AT_ONCE])
        items = set(FeedbackItem.objects.filter(pk__in=keys).values_list("pk", flat=True))
        Submission.objects.filter(pk__in=set(keys) - items).delete()
        Arrival.objects.filter(item__in=items).update(**_DUE)
        changes = {"taken_back_up_to": keys[-1]} if keys else {"state": State.UNDONE}
        if not Import.objects.filter(pk=run.pk, lease_token=run.lease_token).update(**changes):
            raise LostLease
    return not keys


def withdraw(keys: Sequence[int]) -> None:
    """Delete items of an import that is taken back, with everything intake knows of them, inside the caller's transaction."""
    Arrival.objects.filter(item__in=keys).delete()
    FeedbackItem.objects.filter(pk__in=keys).delete()
    Submission.objects.filter(pk__in=keys).delete()


def _rehearsed(channel: Channel, raws: Sequence[RawItem], seen: Occurrences) -> Counter[str]:
    known = receiving.arrived_before(channel, [raw.external_id for raw in raws])
    return Counter(
        "created" if seen.count(raw.external_id.encode()) == 1 and raw.external_id not in known else "duplicate"
        for raw in raws
    )
