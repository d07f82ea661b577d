"""Customers and companies as other systems know them: matched, merged and deleted set-based, the later version winning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from django.db import IntegrityError, connection, transaction

from intake import ledger
from intake.cleaning import clean_line
from intake.customers import accounts_of_domains
from intake.domains import company_domain
from intake.ledger_rows import ACCOUNTS, CUSTOMERS, Entry, Kind
from intake.models import Customer
from intake.models.customers import Id, id_of

__all__ = ["Company", "Id", "Owned", "Person", "Verdict", "id_of", "take_companies", "take_people"]

Status = Literal["created", "updated", "unchanged", "deleted", "skipped"]

# Whoever writes what systems tell of customers waits for whoever does so already: two files may name one person by different ids,
# which no constraint of a table can see.
_LOCK = 0x72656C6174696F6E
_TRIES = 3


@dataclass(frozen=True)
class Owned:
    product: str
    since: date | None = None


@dataclass(frozen=True)
class _Record:
    """What a record of any kind says of itself."""

    # The record's own id first, then those under which other systems know the same. Without any, its address or domain is it.
    ids: tuple[Id, ...] = ()
    name: str = ""
    owned: tuple[Owned, ...] = ()
    # The source's own time of this version; a record without one is as new as its arrival.
    changed_at: datetime | None = None
    # Records that were merged into this one, or the one that this was merged into.
    merged: tuple[Id, ...] = ()
    merged_into: Id | None = None
    is_gone: bool = False
    # Deleted at the wish of the person: whoever else knows them, nothing of them stays.
    for_privacy: bool = False


@dataclass(frozen=True)
class Company(_Record):
    domain: str = ""
    segment: str = ""
    value: Decimal | None = None
    currency: str = ""
    lifecycle: str = ""
    owner: str = ""
    # Only named by a person's record: it fills what is not known, and replaces nothing.
    is_mention: bool = False


@dataclass(frozen=True)
class Person(_Record):
    email: str = ""
    other_emails: tuple[str, ...] = ()
    language: str = ""
    account: Company | None = None


@dataclass(frozen=True)
class Verdict:
    """What came of a record: the row's key where one stands for it, and a sentence where there is something to tell."""

    status: Status
    pk: int | None = None
    reason: str = ""


def take_companies(companies: Sequence[Company], *, at: datetime) -> list[Verdict]:
    """A verdict for each, in their order, in one transaction."""
    with transaction.atomic():
        _wait_for_others()
        return _taken(ACCOUNTS, [_company(each) for each in companies], at=at)


def take_people(people: Sequence[Person], *, at: datetime) -> list[Verdict]:
    """The same for people, and for the companies they name. Whose company is not named belongs to that of their address."""
    with transaction.atomic():
        _wait_for_others()
        named = [each.account for each in people if each.account is not None and not each.is_gone]
        keys = iter(_taken(ACCOUNTS, [_company(each) for each in named], at=at))
        accounts = [next(keys).pk if each.account is not None and not each.is_gone else None for each in people]
        entries = [_person(each, account) for each, account in zip(people, accounts, strict=True)]
        verdicts = _taken(CUSTOMERS, entries, at=at)
        _join_by_domain([each.pk for each in verdicts if each.pk is not None])
        return verdicts


def _wait_for_others() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _taken(kind: Kind, entries: list[Entry], *, at: datetime) -> list[Verdict]:
    """Feedback that arrives meanwhile may make the same customer first; then what was read is read again."""
    if not entries:
        return []
    for attempt in range(1, _TRIES + 1):
        try:
            with transaction.atomic():
                return [Verdict(*each) for each in ledger.take(kind, entries, at=at)]
        except IntegrityError:
            if attempt == _TRIES:
                raise
    raise AssertionError("the last try returns or raises")


def _join_by_domain(keys: list[int]) -> None:
    without = list(
        Customer.objects.filter(pk__in=keys, account=None, erased_at=None).exclude(email="").only("pk", "email")
    )
    domains = {each.pk: company_domain(each.email) for each in without}
    known = accounts_of_domains({domain for domain in domains.values() if domain})
    found = [each for each in without if domains[each.pk] in known]
    for each in found:
        each.account_id = known[domains[each.pk]]
    if found:
        Customer.objects.bulk_update(found, ["account"])


def _company(said: Company) -> Entry:
    name, domain = clean_line(said.name, longest=200), company_domain(said.domain)
    # As at intake, where feedback names a company by nothing else.
    ids = said.ids or ((("domain", domain),) if domain else (("", name),) if name else ())
    facts = {
        "name": name,
        "domain": domain,
        "segment": clean_line(said.segment, longest=60),
        "lifecycle": clean_line(said.lifecycle, longest=60),
        "owner": clean_line(said.owner, longest=200),
        "value": said.value,
        "currency": clean_line(said.currency, longest=3).upper() if said.value is not None else "",
    }
    return _entry(said, ids, facts, mark=domain, only_fills=said.is_mention)


def _person(said: Person, account: int | None) -> Entry:
    addresses = [_address(each) for each in (said.email, *said.other_emails)]
    known = list(dict.fromkeys(each for each in addresses if each))
    email = known[0] if known else ""
    facts = {
        "name": clean_line(said.name, longest=200),
        "email": email,
        "language": clean_line(said.language, longest=12).lower(),
        "account_id": account,
    }
    ids = (*said.ids, *(("email", each) for each in known[1:]))
    return _entry(said, ids, facts, mark=email)


def _entry(
    said: _Record, ids: tuple[Id, ...], facts: Mapping[str, object], *, mark: str, only_fills: bool = False
) -> Entry:
    return Entry(
        ids=tuple(dict.fromkeys(map(_clean, ids))),
        mark=mark,
        facts=facts,
        owned={product: each.since for each in said.owned if (product := clean_line(each.product, longest=120))},
        changed_at=said.changed_at,
        merged=tuple(map(_clean, said.merged)),
        merged_into=_clean(said.merged_into) if said.merged_into else None,
        is_gone=said.is_gone,
        for_privacy=said.for_privacy,
        only_fills=only_fills,
    )


def _clean(given: Id) -> Id:
    system, number = clean_line(given[0], longest=60).lower(), clean_line(given[1], longest=200)
    return (system, number) if system else id_of(number)


def _address(written: str) -> str:
    email = clean_line(written, longest=254).lower()
    return email if "@" in email else ""
