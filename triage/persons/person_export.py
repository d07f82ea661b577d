"""Everything held about one person as a ZIP of JSON and files, for them to read and to take elsewhere."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import IO, Any

from django.core.files.storage import default_storage
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext

from feedback_portal.accounts.models import User
from feedback_portal.sealing import Unsealable
from intake import normalizing
from intake.models import Attachment, Customer, DataRequest, Participant, Revision, Submission
from triage import persons, tracking
from triage.models import Event, Notification
from triage.tracking import handing_out

_PIECE = 1 << 20
_ENDINGS = {"application/json": "json", "message/rfc822": "eml", "text/csv": "csv"}
_UNSEALABLE = "It was sealed with a key that the portal no longer has, so nobody can read it.\n"


def export(customers: Sequence[Customer], target: IO[bytes], *, by: User | None, at: datetime) -> int:
    """Write the ZIP, item by item and file by file; how many items it holds. What colleagues noted among themselves and who
    they are is not in it."""
    for customer in customers:
        if customer.erased_at is not None:
            raise persons.AlreadyErased(gettext("This person was erased already; there is nothing left to give out."))
    count = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        _write(archive, "person.json", [_person(each) for each in customers])
        rows = persons.submissions_of(customers).select_related("channel").order_by("pk")
        for submission in rows.iterator(chunk_size=20):
            _item(archive, submission)
            count += 1
    DataRequest.objects.bulk_create(
        [
            DataRequest(kind=DataRequest.Kind.EXPORTED, customer=each, person=by, items=count, at=at)
            for each in customers
        ]
    )
    return count


def _person(customer: Customer) -> Mapping[str, Any]:
    took_part = Participant.objects.filter(customer=customer).select_related("session").order_by("pk")
    mails = Notification.objects.filter(item=None, recipient__iexact=customer.email) if customer.email else []
    return {
        "number": customer.pk,
        "name": customer.name,
        "email": customer.email,
        "external_id": customer.external_id,
        "ids_in_other_systems": [str(each) for each in customer.identities.order_by("pk")],
        "owns": [{"product": each.product, "since": each.since} for each in customer.owned.order_by("pk")],
        "language": customer.language,
        "company": str(customer.account) if customer.account else None,
        "known_since": customer.created_at,
        "consents": {
            "mails_refused_at": customer.opted_out_at,
            "took_part": [
                {
                    "in": each.session.title,
                    "held_at": each.session.held_at,
                    "as": each.label,
                    "agreed_at": each.consented_at,
                }
                for each in took_part
            ],
        },
        "corrections_and_exports": [
            {"at": each.at, "what": each.get_kind_display(), "fields": each.fields}
            for each in customer.data_requests.order_by("pk")
        ],
        "other_mails": [{"subject": mail.subject, "body": mail.body, "sent_at": mail.completed_at} for mail in mails],
    }


def _item(archive: zipfile.ZipFile, submission: Submission) -> None:
    about = handing_out.export(tracking.journey_of(submission))
    folder = f"items/{submission.reference}"
    # The bytes lie beside it, as they arrived.
    about.pop("original", None)
    about.pop("customer", None)
    about["id_at_the_sender"] = submission.external_id
    about["headers"] = submission.headers
    about["history"] = _history(submission)
    _write(archive, f"{folder}/item.json", about)
    if submission.payload:
        _raw(archive, f"{folder}/as-it-arrived", submission)
    # What else came under its id may be somebody else's, so it is not given out.
    for number, revision in enumerate(submission.revisions.order_by("pk").iterator(chunk_size=5), start=1):
        _raw(archive, f"{folder}/before-it-was-changed-{number}", revision)
    for number, file in enumerate(submission.attachments.order_by("pk"), start=1):
        _file(archive, f"{folder}/files/{number}-{file.name}", file)


def _history(submission: Submission) -> list[Mapping[str, Any]]:
    """What was done with their tickets and when, without the words and names of colleagues."""
    rows = Event.objects.filter(item=submission.pk).exclude(type=Event.Type.NOTED).order_by("occurred_at", "pk")
    return [{"at": at, "what": str(Event.Type(kind).label)} for kind, at in rows.values_list("type", "occurred_at")]


def _raw(archive: zipfile.ZipFile, name: str, stored: Submission | Revision) -> None:
    try:
        content = normalizing.original(stored)
    except Unsealable:
        archive.writestr(f"{name}.txt", _UNSEALABLE)
        return
    archive.writestr(f"{name}.{_ENDINGS.get(stored.content_type.split(';')[0], 'bin')}", content)


def _file(archive: zipfile.ZipFile, name: str, file: Attachment) -> None:
    if not default_storage.exists(file.stored_as):
        return
    with default_storage.open(file.stored_as) as source, archive.open(name, "w") as target:
        while piece := source.read(_PIECE):
            target.write(piece)


def _write(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    archive.writestr(name, json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))
