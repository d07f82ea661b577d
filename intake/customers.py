"""Who said it: found by the id their system has for them, then by e-mail, else made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection

from intake.cleaning import clean_line
from intake.connectors.base import Sender
from intake.models import Account

# Each is one probe of an index however many rows the table has: OFFSET 0 keeps the planner from reading the whole table in
# order, which it likes before it has statistics of an expression.
_BY: Mapping[str, str] = {
    "external_id": "SELECT wanted.found_by, known.id, coalesce(known.external_id, ''), known.email, known.name,"
    " known.account_id FROM unnest(%s::text[]) AS wanted (found_by) CROSS JOIN LATERAL ("
    "SELECT * FROM intake_customer WHERE external_id = wanted.found_by OFFSET 0) AS known",
    "email": "SELECT wanted.found_by, known.id, coalesce(known.external_id, ''), known.email, known.name,"
    " known.account_id FROM unnest(%s::text[]) AS wanted (found_by) CROSS JOIN LATERAL ("
    "SELECT * FROM intake_customer WHERE lower(email) = wanted.found_by AND email <> '' OFFSET 0) AS known",
}


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
            email if "@" in email else "",
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
    for sender, key in keys.items():
        known = by_id[key.external_id] if key.external_id else by_email[key.email]
        found[sender] = known.pk
        _learn(known, key, accounts.get(clean_line(sender.account_external_id, longest=200)), learned)
    _keep(learned)
    return found


def _standing(column: str, wanted: Mapping[str, _Key]) -> dict[str, _Known]:
    """The customers under these ids or addresses, made where there are none. Two workers may meet the same new customer:
    the constraint decides, and both read the one that stands."""
    if not wanted:
        return {}
    found = _read(column, list(wanted))
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


def _accounts(senders: Iterable[Sender]) -> dict[str, int]:
    wanted = {
        clean_line(sender.account_external_id, longest=200): clean_line(sender.account_name, longest=200)
        for sender in senders
        if sender.account_external_id
    }
    wanted.pop("", None)
    if not wanted:
        return {}
    Account.objects.bulk_create(
        [Account(external_id=number, name=name) for number, name in sorted(wanted.items())], ignore_conflicts=True
    )
    return dict(Account.objects.filter(external_id__in=wanted).values_list("external_id", "pk"))


def _learn(known: _Known, key: _Key, account: int | None, learned: dict[int, tuple[str, str, int | None]]) -> None:
    email, name, account_id = learned.get(known.pk, (known.email, known.name, known.account_id))
    better = (email or key.email, name or key.name, account_id if account_id is not None else account)
    if better != (known.email, known.name, known.account_id):
        learned[known.pk] = better


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
