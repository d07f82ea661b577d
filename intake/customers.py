"""Who said it: found by an id that some system has for them, then by e-mail, else made."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.db import IntegrityError, connection, transaction

from intake.cleaning import clean_line
from intake.connectors.base import Sender
from intake.domains import company_domain
from intake.models import Account
from intake.models.customers import id_of

_ADDRESS = re.compile(r"""[^\s<>,;:"()@\\\[\]]{1,64}@[^\s<>,;:"()@\\\[\]]+""")
# Each is one probe of an index however many rows the table has: OFFSET 0 keeps the planner from reading the whole table in
# order, which it likes before it has statistics of an expression.
_BY: Mapping[str, str] = {
    "external_id": "SELECT wanted.found_by, known.id, coalesce(known.external_id, ''), known.email, known.name,"
    " known.account_id FROM unnest(%s::text[]) AS wanted (found_by) CROSS JOIN LATERAL ("
    "SELECT * FROM intake_customer WHERE external_id = wanted.found_by OFFSET 0) AS known",
    "identity": "SELECT wanted.found_by, known.id, coalesce(known.external_id, ''), known.email, known.name,"
    " known.account_id FROM unnest(%s::text[], %s::text[], %s::text[]) AS wanted (found_by, system, number)"
    " CROSS JOIN LATERAL (SELECT customer_id FROM intake_identity"
    " WHERE system = wanted.system AND external_id = wanted.number OFFSET 0) AS identity"
    " JOIN intake_customer AS known ON known.id = identity.customer_id",
    "email": "SELECT wanted.found_by, known.id, coalesce(known.external_id, ''), known.email, known.name,"
    " known.account_id FROM unnest(%s::text[]) AS wanted (found_by) CROSS JOIN LATERAL ("
    "SELECT * FROM intake_customer WHERE lower(email) = wanted.found_by AND email <> '' OFFSET 0) AS known",
    "address alone": "SELECT wanted.found_by, known.id, '', known.email, known.name, known.account_id"
    " FROM unnest(%s::text[]) AS wanted (found_by) CROSS JOIN LATERAL (SELECT * FROM intake_customer"
    " WHERE lower(email) = wanted.found_by AND email <> '' AND external_id IS NULL OFFSET 0) AS known",
}
# Few domains stand behind many addresses.
_company_domain = lru_cache(maxsize=8192)(company_domain)


def is_address(text: str) -> bool:
    """One address and nothing beside it: what names somebody as well, or two, or hides what it says, would be taken apart by mail
    programs in ways of their own."""
    return text.isprintable() and _ADDRESS.fullmatch(text) is not None


@dataclass(frozen=True)
class _Key:
    external_id: str
    email: str
    name: str

    @classmethod
    def of(cls, sender: Sender) -> "_Key":
        email = clean_line(sender.email, longest=254).lower()
        return cls(
            clean_line(sender.external_id, longest=200),
            email if is_address(email) else "",
            clean_line(sender.name, longest=200),
        )


@dataclass(frozen=True)
class _Known:
    """A customer's row as far as it matters here."""

    pk: int
    external_id: str
    email: str
    name: str
    account_id: int | None


def found_or_made(senders: Iterable[Sender]) -> dict[Sender, int]:
    """The customer's key of each sender who can be told apart, set-based. Names, addresses and accounts learned later fill what
    was empty, and replace nothing."""
    keys: dict[Sender, _Key] = {}
    for sender in senders:
        if (sender.external_id or sender.email) and sender not in keys:
            key = _Key.of(sender)
            if key.external_id or key.email:
                keys[sender] = key
    if not keys:
        return {}
    accounts = _accounts(keys)
    by_id = _standing("external_id", {key.external_id: key for key in keys.values() if key.external_id})
    by_email = _standing("email", {key.email: key for key in keys.values() if not key.external_id})
    found: dict[Sender, int] = {}
    learned: dict[int, tuple[str, str, int | None]] = {}
    homeless: dict[int, str] = {}
    for sender, key in keys.items():
        known = by_id[key.external_id] if key.external_id else by_email[key.email]
        found[sender] = known.pk
        _learn(known, key, accounts.get(clean_line(sender.account_external_id, longest=200)), learned)
        email, _, account = learned.get(known.pk, (known.email, known.name, known.account_id))
        if account is None and (domain := _company_domain(email.rpartition("@")[2])):
            homeless[known.pk] = domain
    _learn_by_domain(homeless, {known.pk: known for known in (*by_id.values(), *by_email.values())}, learned)
    _keep(learned)
    return found


def accounts_of_domains(domains: Collection[str]) -> dict[str, int]:
    """The company of each domain; one that several companies share tells nothing."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for domain, pk in Account.objects.filter(domain__in=domains).exclude(domain="").values_list("domain", "pk"):
        found[domain].append(pk)
    return {domain: keys[0] for domain, keys in found.items() if len(keys) == 1}


def _standing(column: str, wanted: Mapping[str, _Key]) -> dict[str, _Known]:
    """The customers under these ids or addresses, made where there are none. Two workers may meet the same new customer:
    the constraint decides, and both read the one that stands."""
    if not wanted:
        return {}
    found = _read(column, list(wanted))
    if missing := [each for each in wanted if each not in found]:
        found |= _known_elsewhere(column, missing)
    if column == "external_id" and (missing := [each for each in wanted if each not in found and wanted[each].email]):
        found |= _claimed({each: wanted[each].email for each in missing})
    missing = sorted(wanted.keys() - found.keys())
    if missing:
        new = [wanted[each] for each in missing]
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO intake_customer (external_id, email, name, language)"
                " SELECT nullif(given.external_id, ''), given.email, given.name, ''"
                " FROM unnest(%s::text[], %s::text[], %s::text[]) AS given (external_id, email, name)"
                " ON CONFLICT DO NOTHING RETURNING id, coalesce(external_id, ''), email, name, account_id",
                [
                    [key.external_id if column == "external_id" else "" for key in new],
                    [key.email for key in new],
                    [key.name for key in new],
                ],
            )
            made = [_Known(*row) for row in cursor.fetchall()]
        found |= {each.external_id if column == "external_id" else each.email.lower(): each for each in made}
        if still := [each for each in missing if each not in found]:
            found |= _read(column, still)
    return found


def _read(column: str, wanted: Sequence[str]) -> dict[str, _Known]:
    """By what they are found under; of several with one address the one known longest."""
    with connection.cursor() as cursor:
        cursor.execute(_BY[column], [list(wanted)])
        return {row[0]: _Known(*row[1:]) for row in sorted(cursor.fetchall(), key=lambda row: -row[1])}


def _known_elsewhere(column: str, wanted: Sequence[str]) -> dict[str, _Known]:
    """By the ids that other systems have for them, and by further addresses."""
    ids = [id_of(each) if column == "external_id" else ("email", each) for each in wanted]
    with connection.cursor() as cursor:
        cursor.execute(_BY["identity"], [list(wanted), [system for system, _ in ids], [number for _, number in ids]])
        return {row[0]: _Known(*row[1:]) for row in cursor.fetchall()}


def _claimed(addresses: Mapping[str, str]) -> dict[str, _Known]:
    """The customers known by nothing but these addresses, who have these numbers from now on."""
    by_address = {email: number for number, email in sorted(addresses.items(), reverse=True)}
    alone = _read("address alone", list(by_address))
    if not alone:
        return {}
    pairs = sorted((known.pk, by_address[email]) for email, known in alone.items())
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE intake_customer AS known SET external_id = given.number"
                " FROM unnest(%s::bigint[], %s::text[]) AS given (id, number)"
                " WHERE known.id = given.id AND known.external_id IS NULL"
                " RETURNING known.external_id, known.id, known.external_id, known.email, known.name, known.account_id",
                [[pk for pk, _ in pairs], [number for _, number in pairs]],
            )
            return {row[0]: _Known(*row[1:]) for row in cursor.fetchall()}
    except IntegrityError:
        return {}  # another worker has just made one of these numbers; whoever looks for it finds that one


def _accounts(senders: Iterable[Sender]) -> dict[str, int]:
    wanted = {
        clean_line(sender.account_external_id, longest=200): clean_line(sender.account_name, longest=200)
        for sender in senders
        if sender.account_external_id
    }
    wanted.pop("", None)
    if not wanted:
        return {}
    found = _account_keys(wanted)
    missing = wanted.keys() - found.keys()
    if missing:
        found |= _accounts_elsewhere(missing)
        missing -= found.keys()
    if missing:
        Account.objects.bulk_create(
            [Account(external_id=number, name=wanted[number]) for number in sorted(missing)], ignore_conflicts=True
        )
        found |= _account_keys(missing)
    return found


def _account_keys(numbers: Collection[str]) -> dict[str, int]:
    return dict(Account.objects.filter(external_id__in=numbers).values_list("external_id", "pk"))


def _accounts_elsewhere(numbers: Collection[str]) -> dict[str, int]:
    ids = {number: id_of(number) for number in numbers}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wanted.found_by, known.account_id FROM unnest(%s::text[], %s::text[], %s::text[])"
            " AS wanted (found_by, system, number) JOIN intake_accountidentity AS known"
            " ON known.system = wanted.system AND known.external_id = wanted.number WHERE known.account_id IS NOT NULL",
            [list(ids), [system for system, _ in ids.values()], [number for _, number in ids.values()]],
        )
        return dict(cursor.fetchall())


def _learn(known: _Known, key: _Key, account: int | None, learned: dict[int, tuple[str, str, int | None]]) -> None:
    email, name, account_id = learned.get(known.pk, (known.email, known.name, known.account_id))
    better = (email or key.email, name or key.name, account_id if account_id is not None else account)
    if better != (known.email, known.name, known.account_id):
        learned[known.pk] = better


def _learn_by_domain(
    homeless: Mapping[int, str], rows: Mapping[int, _Known], learned: dict[int, tuple[str, str, int | None]]
) -> None:
    """Who writes from a company's own domain works there, where nobody said otherwise."""
    accounts = accounts_of_domains(set(homeless.values())) if homeless else {}
    for pk, domain in homeless.items():
        if domain in accounts:
            email, name, _ = learned.get(pk, (rows[pk].email, rows[pk].name, None))
            learned[pk] = (email, name, accounts[domain])


def _keep(learned: Mapping[int, tuple[str, str, int | None]]) -> None:
    if not learned:
        return
    rows = sorted(learned.items())
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE intake_customer AS known SET email = given.email, name = given.name, account_id = given.account_id"
            " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[]) AS given (id, email, name, account_id)"
            " WHERE known.id = given.id",
            [
                [pk for pk, _ in rows],
                [email for _, (email, _, _) in rows],
                [name for _, (_, name, _) in rows],
                [account for _, (_, _, account) in rows],
            ],
        )
