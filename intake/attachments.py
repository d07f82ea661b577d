"""Files that customers and colleagues send: taken for what they are, kept under names nobody can guess, given out as downloads only."""

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.http import FileResponse
from django.utils.translation import gettext

from feedback_portal.marking import marked
from feedback_portal.refusals import Refused
from intake.cleaning import clean_line
from intake.connectors.base import File
from intake.models import Attachment
from intake.pictures import BadPicture, picture_of

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

MOST_FILES = 5
LONGEST_FILE = 10 * 1024 * 1024
# What is taken, by what a file's bytes say, and the endings of names that go with it.
ENDINGS = {
    "image/jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "image/png": (".png",),
    "image/webp": (".webp",),
    "application/pdf": (".pdf",),
}
ACCEPT = ",".join([*ENDINGS, *(ending for endings in ENDINGS.values() for ending in endings[:1])])

_FOLDER = "attachments"
_ORPHANED_AFTER = timedelta(days=1)
# Characters that turn the reading direction make "gpj.exe" look like "exe.jpg".
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


class BadFile(Exception):
    """The file is not taken; the sentence says why, and what would be."""


class NoRoom(Refused):
    status = 507
    code = "no-room"
    title = marked("Your file could not be kept")


def checked(name: str, content: bytes) -> File:
    """The file under a name that is safe to show, without what a picture tells beside the picture; or `BadFile`."""
    shown = shown_name(name)
    if not content:
        raise BadFile(gettext("“%(shown)s” is empty. Choose it again.") % {"shown": shown})
    if len(content) > LONGEST_FILE:
        raise too_large(name)
    try:
        picture = picture_of(content)
    except BadPicture as reason:
        raise BadFile(gettext("“%(shown)s” cannot be taken. %(reason)s") % {"shown": shown, "reason": reason}) from None
    content_type = picture.content_type if picture else _document_type(content)
    if PurePath(shown).suffix.lower() not in ENDINGS.get(content_type, ()):
        raise BadFile(
            gettext("“%(shown)s” is neither a JPEG, PNG or WebP picture nor a PDF. Send one of these.")
            % {"shown": shown}
        )
    return File(shown, content_type, picture.content if picture else content)


def sent(files: Sequence["UploadedFile[Any]"]) -> list[File]:
    """What a page sent, each checked; or `BadFile` for the first that is not taken, before anything too large is read."""
    if len(files) > MOST_FILES:
        raise BadFile(gettext("Send at most %(most)s files at once.") % {"most": MOST_FILES})
    for file in files:
        if (file.size or 0) > LONGEST_FILE:
            raise too_large(file.name or "")
    return [checked(file.name or "", file.read()) for file in files]


def allowed(files: Iterable[File]) -> tuple[tuple[File, ...], tuple[str, ...]]:
    """Of files that came with a message, those we keep, and why we do not keep the others: nobody's words are refused for
    the sake of a file beside them."""
    kept: list[File] = []
    left_out: list[str] = []
    for file in files:
        if len(kept) == MOST_FILES:
            left_out.append(
                gettext("“%(name)s” is one of more than %(most)s files.")
                % {"name": shown_name(file.name), "most": MOST_FILES}
            )
            continue
        try:
            kept.append(checked(file.name, file.content))
        except BadFile as reason:
            left_out.append(str(reason))
    return tuple(kept), tuple(left_out)


def too_large(name: str) -> BadFile:
    """What to say of a file whose size alone is enough to refuse it."""
    return BadFile(
        gettext("“%(name)s” is larger than %(most)s MB. Send a smaller one.")
        % {"name": shown_name(name), "most": LONGEST_FILE // 1024 // 1024}
    )


def shown_name(name: str) -> str:
    """Somebody's name for a file, cut down to what is safe to show and to download under."""
    last = re.split(r"[/\\]", name)[-1]
    clean = clean_line(_INVISIBLE.sub("", last.replace("\x00", "")), longest=400).lstrip(". ")
    stem, ending = PurePath(clean).stem, PurePath(clean).suffix
    return f"{stem[: 150 - len(ending[:20])]}{ending[:20]}" or "file"


def stored(files: Iterable[File]) -> list[Attachment]:
    """Write the files and give the rows that stand for them, which are not saved and still lack their submission, if they get one.

    The files come first: a row without its file would be a lie, a file without a row is swept up. On a full disk nothing
    is left behind, and `NoRoom` says so.
    """
    rows: list[Attachment] = []
    for file in files:
        row = Attachment(
            name=shown_name(file.name)[:160],
            content_type=file.content_type[:80],
            size=len(file.content),
            sha256=hashlib.sha256(file.content).digest(),
        )
        try:
            name = row.public_id.hex
            row.stored_as = default_storage.save(f"{_FOLDER}/{name[:2]}/{name}", ContentFile(file.content))
            _flush(row.stored_as)
        except OSError:
            discard(rows)
            raise NoRoom(
                gettext(
                    "There is no room for files at the moment. Go back and send it without them: what you wrote is still there."
                )
            ) from None
        rows.append(row)
    return rows


def kept(rows: Sequence[Attachment], submissions: Sequence[int | None]) -> None:
    """Save the rows, each for the submission of that key, or for whatever the caller lets hold it."""
    for row, key in zip(rows, submissions, strict=True):
        row.submission_id = key
    Attachment.objects.bulk_create(rows)


def forget(rows: Iterable[Attachment]) -> None:
    """Delete these rows in the caller's transaction and their files once that is certain: a file may outlive its row and is swept
    up, while a row would name no file."""
    gone = list(rows)
    Attachment.objects.filter(pk__in=[row.pk for row in gone]).delete()
    transaction.on_commit(lambda: discard(gone))


def discard(rows: Iterable[Attachment]) -> None:
    """Delete the files of rows that are not there (any more)."""
    for row in rows:
        default_storage.delete(row.stored_as)


def download(attachment: Attachment) -> FileResponse:
    """The file as a download that no browser opens in our name. Whoever calls has made sure that the reader may have it."""
    known = attachment.content_type in ENDINGS
    response = FileResponse(
        default_storage.open(attachment.stored_as),
        as_attachment=True,
        filename=attachment.name,
        content_type=attachment.content_type if known else "application/octet-stream",
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def sweep(*, at: datetime) -> int:
    """Delete files that no row knows, once they are a day old; how many went. Each call looks at a part of the folders, and
    24 of them, one an hour, at all."""
    try:
        folders = default_storage.listdir(_FOLDER)[0]
    except FileNotFoundError:
        return 0  # nobody has sent a file yet; a bucket has no folders that could be missing
    gone = 0
    for folder in folders:
        if len(folder) == 2 and int(folder, 16) % 24 == at.hour:
            gone += _sweep_folder(f"{_FOLDER}/{folder}", at)
    return gone


def _sweep_folder(folder: str, at: datetime) -> int:
    names = {f"{folder}/{name}" for name in default_storage.listdir(folder)[1]}
    orphans = names - set(Attachment.objects.filter(stored_as__in=names).values_list("stored_as", flat=True))
    old = [name for name in sorted(orphans) if default_storage.get_modified_time(name) < at - _ORPHANED_AFTER]
    for name in old:
        default_storage.delete(name)
    return len(old)


def _document_type(content: bytes) -> str:
    """A document must begin as one and end as one."""
    is_pdf = content.startswith(b"%PDF-") and b"%%EOF" in content[-2048:]
    return "application/pdf" if is_pdf else ""


def _flush(name: str) -> None:
    """Onto the disk, the entry in the folder included, before any row says that it is there."""
    try:
        path = default_storage.path(name)
    except NotImplementedError:
        return  # a remote storage has its own promise
    for target in (path, os.path.dirname(path)):
        number = os.open(target, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
