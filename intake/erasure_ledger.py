"""Who was erased, as keyed hashes: kept beside the database as well, so that restoring an older backup forgets nobody's wish."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from feedback_portal.accounts.models import User
from intake.models import Customer, DataRequest

_FOLDER = "erasures"


@dataclass(frozen=True)
class Returned:
    """Somebody who was erased and is here again; `is_restored` where the row is older than the erasure, so that a backup brought
    it and they did not come back themselves."""

    customer: Customer
    erased_at: datetime
    is_restored: bool


def names_of(customers: Iterable[Customer]) -> tuple[list[str], list[str]]:
    """The addresses and the ids, of ours and of other systems, that they are known by."""
    emails, ids = set[str](), set[str]()
    for customer in customers:
        emails.add(customer.email.lower())
        ids.add(customer.external_id or "")
        for identity in customer.identities.all():
            (emails if identity.system == "email" else ids).add(
                identity.external_id.lower() if identity.system == "email" else str(identity)
            )
    return sorted(emails - {""}), sorted(ids - {""})


def known_by(emails: Iterable[str], ids: Iterable[str], *, secret: str = "") -> list[str]:
    """What they are known again by; nobody without the portal's key can try names on it."""
    key = (secret or settings.SECRET_KEY).encode()
    words = [f"email:{email.lower()}" for email in emails if email] + [f"id:{each}" for each in ids if each]
    return sorted(hmac.new(key, b"erased:" + word.encode(), hashlib.sha256).hexdigest() for word in words)


def record(
    customers: Iterable[Customer], *, known: Iterable[str], items: int, by: User | None, at: datetime
) -> list[DataRequest]:
    """Inside the transaction that erases them. `copy_out` lays it beside the database."""
    rows = [
        DataRequest(kind=DataRequest.Kind.ERASED, customer=each, person=by, known_by=list(known), items=items, at=at)
        for each in customers
    ]
    return DataRequest.objects.bulk_create(rows)


def copy_out() -> int:
    """Write every erasure that does not lie beside the database yet; a crash in between writes it twice, which harms nobody."""
    rows = DataRequest.objects.filter(kind=DataRequest.Kind.ERASED, is_copied=False)
    count = 0
    for row in rows.order_by("pk"):
        entry = {"at": row.at.isoformat(), "known_by": row.known_by}
        name = f"{_FOLDER}/{row.at:%Y%m%dT%H%M%S}-{(row.known_by or [str(row.pk)])[0][:16]}.json"
        default_storage.save(name, ContentFile(json.dumps(entry).encode()))
        count += DataRequest.objects.filter(pk=row.pk).update(is_copied=True)
    return count


def read_in() -> int:
    """Take up the erasures that the database does not know, since it is older than they are; how many there were."""
    count = 0
    for entry in _copies():
        known = list(entry["known_by"])
        at = datetime.fromisoformat(str(entry["at"]))
        if not DataRequest.objects.filter(kind=DataRequest.Kind.ERASED, at=at, known_by=known).exists():
            DataRequest.objects.create(kind=DataRequest.Kind.ERASED, at=at, known_by=known, is_copied=True)
            count += 1
    return count


def returned() -> Iterator[Returned]:
    """Customers who were erased before and are known here again."""
    erased: dict[str, datetime] = {}
    for at, known in (
        DataRequest.objects.filter(kind=DataRequest.Kind.ERASED).order_by("at").values_list("at", "known_by")
    ):
        erased |= dict.fromkeys(known, at)
    if not erased:
        return
    rows = Customer.objects.filter(erased_at=None).prefetch_related("identities")
    for customer in rows.order_by("pk").iterator(chunk_size=2000):
        for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
            names = known_by(*names_of([customer]), secret=secret)
            if times := [erased[name] for name in names if name in erased]:
                at = max(times)
                yield Returned(customer, at, is_restored=customer.created_at <= at)
                break


def _copies() -> Iterator[Mapping[str, Any]]:
    try:
        names = default_storage.listdir(_FOLDER)[1]
    except FileNotFoundError:
        return
    for name in sorted(names):
        with default_storage.open(f"{_FOLDER}/{name}") as file:
            yield json.loads(file.read())
