"""Where somebody's data lies besides their items: what nobody could read, calls, files on their way in, answers to programs."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext

from feedback_portal.accounts.models import RememberedAnswer
from feedback_portal.marking import marked
from intake import privacy, relation_runs
from intake.importing import file_of
from intake.models import Delivery, Import, ImportNotice, Participant, RelationFile, RelationNotice, Session, Submission

_ERASED_ROW = "This row is erased, at the request of whom it was about."
_ANSWER = {
    "type": "urn:feedback-portal:erased",
    "title": marked("This was erased"),
    "status": 410,
    "detail": marked(
        "What this request brought was erased at the request of whom it was about. There is nothing to send again."
    ),
}
_RUNNING = (
    Import.State.UPLOADED,
    Import.State.WAITING,
    Import.State.RUNNING,
    Import.State.PAUSED,
    Import.State.UNDOING,
)
_CHUNK = 1 << 20
# A shorter id of a customer's may stand for anything in a file.
_SHORTEST_ID = 4
_AT_ONCE = 100


@dataclass(frozen=True)
class Person:
    """What somebody is known by, taken down before it is erased; `words` are our own names for what is theirs."""

    customers: Sequence[int]
    emails: Sequence[str]
    ids: Sequence[str]
    submissions: Sequence[int] = ()
    words: Sequence[str] = ()

    @cached_property
    def pattern(self) -> re.Pattern[bytes] | None:
        """Their addresses as bytes hold them, alone or inside JSON or a URL; never as a part of somebody else's."""
        if not self.emails:
            return None
        any_of = b"|".join(re.escape(word.encode()) for word in self.spellings)
        before = rb"(?:(?<![A-Za-z0-9._%+-])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"
        return re.compile(before + b"(?:" + any_of + rb")(?![A-Za-z0-9-]|\.[A-Za-z0-9])", re.IGNORECASE)

    @property
    def spellings(self) -> list[str]:
        return sorted({spelt for email in self.emails for spelt in (email.lower(), quote(email.lower(), safe=""))})

    def is_in(self, content: bytes) -> bool:
        return self.pattern is not None and self.pattern.search(content) is not None


@dataclass
class Traces:
    """What was found and erased, by what it was; `kept` are sentences about what was not."""

    erased: dict[str, int] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)


def erase_rows(person: Person, *, at: datetime) -> Traces:
    """Everything in the database, inside the caller's transaction."""
    found = Traces()
    unread = _unread(person)
    for row in Submission.objects.filter(pk__in=unread):
        privacy.erase(row, at=at)
    calls = _calls(person)
    Delivery.objects.filter(pk__in=calls).update(body=b"", conflicting_body=None, headers={}, url="", last_error="")
    found.erased = {
        marked("messages that nobody had read"): len(unread),
        marked("calls of other systems"): len(calls),
        marked("rows of import reports"): _notices(person),
        marked("answers remembered for programs"): _answers(person),
        "transcripts": _sessions(person),
    }
    return found


def erase_files(person: Person) -> Traces:
    """Files that hold them go whole, once the rows are gone: a file nobody works on is only kept to look at."""
    found, gone = Traces(), 0
    brought = Q(submissions__in=list(person.submissions[:10_000])) if person.submissions else Q(pk__in=[])
    theirs = set(Import.objects.filter(brought).values_list("pk", flat=True))
    for run in Import.objects.exclude(stored_as="").select_related("channel"):
        path = file_of(run)
        if run.pk not in theirs and not _holds(path, person):
            continue
        if run.state in _RUNNING:
            found.kept.append(
                gettext(
                    "The file %(file_name)s of %(channel)s holds them and is not done. Cancel that import, and erase again."
                )
                % {"file_name": run.file_name, "channel": run.channel}
            )
            continue
        path.unlink(missing_ok=True)
        gone += Import.objects.filter(pk=run.pk).update(stored_as="")
    for other in RelationFile.objects.exclude(stored_as=""):
        # One that ended is gone already.
        if _holds(relation_runs.file_of(other), person):
            found.kept.append(
                gettext("The file %(file_name)s holds them and is not done. Cancel it, and erase again.")
                % {"file_name": other.file_name}
            )
    known = {str(file_of(run)) for run in Import.objects.exclude(stored_as="")}
    known |= {str(relation_runs.file_of(other)) for other in RelationFile.objects.exclude(stored_as="")}
    for path in (*_files(Path(settings.STATE_DIR) / "imports"), *_files(Path(settings.MAIL_DIR))):
        if str(path) not in known and _holds(path, person):
            path.unlink(missing_ok=True)
            gone += 1
    found.erased = {"files": gone}
    return found


def _unread(person: Person) -> list[int]:
    """What never became an item and so is nobody's by any key; whatever says their address is theirs."""
    rows = "gone_at IS NULL AND (parked_at IS NOT NULL OR ignored_reason > '' OR quarantine_reason > '' OR completed_at IS NULL)"
    return _saying(person, "intake_submission", ("payload", "conflicting_payload"), rows)


def _calls(person: Person) -> list[int]:
    """A call that still waits is read within moments and holds others' words too, so it is let through."""
    return _saying(
        person,
        "intake_delivery",
        ("body", "conflicting_body"),
        "NOT (completed_at IS NULL AND parked_at IS NULL) AND (body <> '' OR conflicting_body IS NOT NULL)",
    )


def _saying(person: Person, table: str, columns: tuple[str, str], where: str) -> list[int]:
    """Keys of the rows that say their address. The database finds what may, in any case of letters; we look closely."""
    if not person.emails:
        return []
    first, second = columns
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM {table} WHERE {where} AND EXISTS (SELECT FROM unnest(%s::text[]) AS word WHERE"  # noqa: S608 -- our own names
            f" position(word IN lower(encode({first}, 'escape'))) > 0"
            f" OR position(word IN lower(encode(coalesce({second}, ''), 'escape'))) > 0)",
            [[_as_escaped(word) for word in person.spellings]],
        )
        maybe = [key for (key,) in cursor.fetchall()]
        found = []
        for start in range(0, len(maybe), _AT_ONCE):
            cursor.execute(
                f"SELECT id, {first}, coalesce({second}, '') FROM {table} WHERE id = ANY(%s)",  # noqa: S608 -- as above
                [maybe[start : start + _AT_ONCE]],
            )
            found += [
                key for key, one, other in cursor.fetchall() if person.is_in(bytes(one)) or person.is_in(bytes(other))
            ]
    return found


def _as_escaped(word: str) -> str:
    """As PostgreSQL writes bytes in its escape format."""
    return "".join(
        "\\\\" if byte == 0x5C else chr(byte) if 0 < byte < 0x80 else f"\\{byte:03o}" for byte in word.encode()
    )


def _notices(person: Person) -> int:
    """Rows that say their address or their id, and rows of their items under the id that the file has for them."""
    ids = [each for each in person.ids if len(each) >= _SHORTEST_ID]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT notice.id, notice.cells::text || ' ' || notice.reason, by_id.is_theirs FROM intake_importnotice AS notice"
            " JOIN intake_import AS run ON run.id = notice.run_id"
            " CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM jsonb_array_elements(notice.cells) AS cell"
            "  WHERE cell ->> 1 = ANY(%s) OR EXISTS (SELECT FROM intake_submission AS said"
            "   WHERE said.channel_id = run.channel_id AND said.external_id = cell ->> 1 AND said.id = ANY(%s)))"
            "  AS is_theirs) AS by_id"
            " WHERE by_id.is_theirs OR EXISTS (SELECT FROM unnest(%s::text[]) AS word"
            "  WHERE position(word IN lower(notice.cells::text || notice.reason)) > 0)",
            [ids, list(person.submissions), person.spellings],
        )
        maybe = cursor.fetchall()
    # An address may be a part of another's; an id is compared as a whole above.
    found = [key for key, said, is_theirs in maybe if is_theirs or person.is_in(said.encode())]
    count = ImportNotice.objects.filter(pk__in=found).update(cells=[], reason=_ERASED_ROW, column="")
    said = Q(pk__in=[])
    for word in person.spellings:
        said |= Q(reason__icontains=word)
    theirs = [row.pk for row in RelationNotice.objects.filter(said) if person.is_in(row.reason.encode())]
    return count + RelationNotice.objects.filter(pk__in=theirs).update(reason=_ERASED_ROW)


def _answers(person: Person) -> int:
    """Kept as answers, so that a request sent again is still not done again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM accounts_rememberedanswer WHERE EXISTS (SELECT FROM unnest(%s::text[]) AS word"
            " WHERE position(lower(word) IN lower(body::text)) > 0)",
            [[*person.words, *person.emails]],
        )
        keys = [key for (key,) in cursor.fetchall()]
    return RememberedAnswer.objects.filter(pk__in=keys).update(status=410, body=_ANSWER)


def _sessions(person: Person) -> int:
    """What everybody said was taken in turn by turn, so only the record of the whole goes."""
    theirs = Participant.objects.filter(customer__in=person.customers)
    held = Session.objects.filter(participants__in=theirs.values("pk"))
    count = Session.objects.filter(pk__in=held.values("pk")).update(transcript=None, transcript_name="")
    for each in theirs:
        Participant.objects.filter(pk=each.pk).update(label=f"Erased {each.pk}", customer=None)
    return count


def _files(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.glob("*")) if path.is_file()) if folder.is_dir() else ()


def _holds(path: Path, person: Person) -> bool:
    """Read piece by piece, each with the end of the one before."""
    if person.pattern is None:
        return False
    overlap = 2 * max(len(spelt) for spelt in person.spellings) + 8
    try:
        with path.open("rb") as file:
            rest = b""
            while piece := file.read(_CHUNK):
                if person.is_in(rest + piece):
                    return True
                rest = (rest + piece)[-overlap:]
    except OSError:
        return False
    return False


def words_of(submissions: Iterable[Any]) -> list[str]:
    """How our own answers name what was received."""
    return [word for row in submissions for word in (str(row.public_id), row.reference)]
