"""One person over every table and file: found, corrected and erased; giving their data out is `person_export`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from feedback_portal.accounts.models import User
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotFound, Refused
from intake import erasure_ledger, privacy, traces
from intake.cleaning import clean_line
from intake.models import Customer, DataRequest, Submission
from triage.models import Event, Notification, Ticket
from triage.persons import erasing

RECTIFIABLE: Mapping[str, int] = {"name": 200, "email": 254, "language": 12}
"""What may be corrected, and how long it may be."""

KEPT = (
    marked("Ratings, topics and times stay, for they are counted; nothing says whose they were."),
    marked("The sender's own id of each message and the hash of its bytes stay, so that it is not taken in again."),
    marked("The company they belong to stays, since it is no person."),
    marked("What colleagues wrote about improvements stays; look there yourself if somebody was named."),
    marked(
        "Issues that were made of their words in a tracker stay there, and so does what webhooks told other systems; erase it there."
    ),
    marked("Their address stays as a keyed hash, by which a restored backup is noticed."),
)
_AT_ONCE = 200
_ON_REQUEST = "The person was erased on request. It stays counted, without its words."


class AlreadyErased(Refused):
    status = 409
    code = "already-erased"
    title = marked("Nobody is left here")


@dataclass(frozen=True)
class Erased:
    """What was erased, by what it was, and what was not and why."""

    items: int
    traces: Mapping[str, int] = field(default_factory=dict)
    kept: Sequence[str] = KEPT


def find(word: str) -> list[Customer]:
    """Everybody with this address, or the one of this number; `NotFound` if there is nobody."""
    word = word.strip()
    rows = Customer.objects.select_related("account")
    if word.isascii() and word.isdecimal() and len(word) < 19:
        found = list(rows.filter(pk=int(word)))
    else:
        found = list(rows.filter(email__iexact=word).exclude(email="").order_by("pk"))
    if not found:
        raise NotFound(
            gettext("Nobody is known by “%(word)s”. Look for an e-mail address or a customer's number.")
            % {"word": word[:254]}
        )
    return found


def submissions_of(customers: Sequence[Customer]) -> QuerySet[Submission]:
    return Submission.objects.filter(item__customer__in=customers)


def rectify(customer: Customer, given: Mapping[str, str], *, by: User | None, at: datetime) -> list[str]:
    """Correct what is given; the names of what changed. Mails that wait go where they should, and what came in before keeps the
    words its sender used."""
    _alive(customer)
    errors, wanted = [], {}
    for name, text in given.items():
        if name not in RECTIFIABLE:
            errors.append(
                InputError(
                    name,
                    gettext("This cannot be corrected. Correct one of: %(known)s.") % {"known": ", ".join(RECTIFIABLE)},
                )
            )
            continue
        wanted[name] = clean_line(text, longest=RECTIFIABLE[name])
    if email := wanted.get("email"):
        wanted["email"] = email.lower()
        try:
            validate_email(email)
        except ValidationError:
            errors.append(InputError("email", gettext("Write an address like name@example.com, or leave it empty.")))
    if errors:
        raise BadInput(gettext("Correct what is marked and send it again."), errors=tuple(errors))
    with transaction.atomic():
        row = Customer.objects.select_for_update().get(pk=customer.pk)
        changed = [name for name, text in wanted.items() if getattr(row, name) != text]
        if not changed:
            return []
        waiting = Notification.objects.filter(item__customer=row, completed_at=None, recipient__iexact=row.email)
        if "email" in changed and wanted["email"]:
            waiting.update(recipient=wanted["email"])
        elif "email" in changed:
            waiting.delete()
        try:
            with transaction.atomic():
                Customer.objects.filter(pk=row.pk).update(**{name: wanted[name] for name in changed})
        except IntegrityError:
            message = gettext("Another customer is known by this address alone. Look at both before you change one.")
            raise BadInput(message, errors=(InputError("email", message),)) from None
        DataRequest.objects.create(kind=DataRequest.Kind.RECTIFIED, customer=row, person=by, fields=changed, at=at)
    customer.refresh_from_db()
    return changed


def erase(customers: Sequence[Customer], *, by: User | None, at: datetime) -> Erased:
    """All of it or nothing in the database; files go once that is certain. Their items stay counted as one nameless person's."""
    for customer in customers:
        _alive(customer)
    with transaction.atomic():
        rows = list(Customer.objects.select_for_update().filter(pk__in=[each.pk for each in customers]).order_by("pk"))
        person = _known(rows)
        # First, so that each item finds a nameless row and stays with it.
        privacy.anonymise(person.customers, at=at)
        erasure_ledger.record(
            rows,
            known=erasure_ledger.known_by(person.emails, person.ids),
            items=len(person.submissions),
            by=by,
            at=at,
        )
        for submission in _each(person.submissions):
            erasing.erase(submission, at=at, said=_ON_REQUEST, source=Event.Source.SYSTEM)
        erasing.erase_mails(person.emails)
        found = traces.erase_rows(person, at=at)
    files = traces.erase_files(person)
    erasure_ledger.copy_out()
    told = {what: count for what, count in {**found.erased, **files.erased}.items() if count}
    return Erased(len(person.submissions), told, (*KEPT, *found.kept, *files.kept))


def erase_again(*, at: datetime) -> tuple[int, list[erasure_ledger.Returned]]:
    """After a backup was restored: erase again whom it brought back, and how many they were. Those who came back by
    themselves, or by an import, are told, for nobody but a person can tell which it was."""
    erasure_ledger.copy_out()
    erasure_ledger.read_in()
    again, came = 0, []
    for each in list(erasure_ledger.returned()):
        if each.is_restored:
            erase([each.customer], by=None, at=at)
            again += 1
        else:
            came.append(each)
    return again, came


def _alive(customer: Customer) -> None:
    if customer.erased_at is not None:
        raise AlreadyErased(gettext("This person was erased already; there is nothing left to give out or to change."))


def _known(customers: Sequence[Customer]) -> traces.Person:
    """Taken down before it is erased. An address that somebody else has too does not stand for these alone."""
    ours = [each.pk for each in customers]
    emails, ids = erasure_ledger.names_of(customers)
    emails = [
        email for email in emails if not Customer.objects.filter(email__iexact=email).exclude(pk__in=ours).exists()
    ]
    keys = list(submissions_of(customers).order_by("pk").values_list("pk", flat=True))
    words = traces.words_of(Submission.objects.only("pk", "public_id").filter(pk__in=keys))
    words += [ticket.reference for ticket in Ticket.objects.only("pk").filter(item__in=keys)]
    return traces.Person(ours, emails, ids, keys, words)


def _each(keys: Sequence[int]) -> Iterator[Submission]:
    for start in range(0, len(keys), _AT_ONCE):
        rows = Submission.objects.filter(pk__in=keys[start : start + _AT_ONCE])
        yield from rows.defer("payload", "headers", "conflicting_payload").order_by("pk")
