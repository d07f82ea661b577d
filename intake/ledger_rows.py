"""The rows that records of customers or companies may mean: read at once with all that is known of them, and written at once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import Model, Q

from intake import privacy
from intake.models import Account, AccountIdentity, Customer, Identity, Ownership
from intake.models.customers import Id, id_of, reference_of


@dataclass(frozen=True)
class Kind:
    """What customers and companies differ in: the tables, what links to them, and the field they are known by besides ids."""

    model: type[Model]
    identity: type[Model]
    link: str
    mark: str
    fields: tuple[str, ...]


CUSTOMERS = Kind(Customer, Identity, "customer", "email", ("name", "email", "language", "account_id", "opted_out_at"))
ACCOUNTS = Kind(
    Account,
    AccountIdentity,
    "account",
    "domain",
    ("name", "domain", "segment", "value", "currency", "lifecycle", "owner"),
)


@dataclass(frozen=True)
class Entry:
    """One record, cleaned."""

    ids: tuple[Id, ...]
    mark: str
    facts: Mapping[str, Any]
    owned: Mapping[str, date | None] = field(default_factory=dict)
    changed_at: datetime | None = None
    merged: tuple[Id, ...] = ()
    merged_into: Id | None = None
    is_gone: bool = False
    for_privacy: bool = False
    only_fills: bool = False

    @property
    def named(self) -> Iterable[Id]:
        return (*self.ids, *self.merged, *((self.merged_into,) if self.merged_into else ()))


class Rows:
    """The rows of one kind, as they stand and as they will. Those not yet written have numbers below zero."""

    def __init__(self, kind: Kind, entries: Sequence[Entry], *, at: datetime) -> None:
        self.kind = kind
        self.at = at
        self.rows: dict[int, Any] = {}
        self.by_id: dict[Id, int] = {}
        self.by_mark: dict[str, int] = {}
        self.ids: defaultdict[int, set[Id]] = defaultdict(set)
        self.owned: defaultdict[int, dict[str, date | None]] = defaultdict(dict)
        self.gone: dict[Id, datetime] = {}
        self.revived: list[Id] = []
        # Ids whose records were merged into others.
        self.merged: set[Id] = set()
        # Identities as they are stored, and as they will be.
        self.standing: dict[Id, int | None] = {}
        self.links: dict[Id, int | None] = {}
        self.dirty: set[int] = set()
        self.bought: set[tuple[int, str]] = set()
        self.moved: dict[int, int] = {}
        self.erased: list[int] = []
        self._read(entries)

    def know(self, given: Id, pk: int) -> None:
        self.by_id[given] = pk
        self.ids[pk].add(given)

    def now(self, pk: int) -> int:
        while pk in self.moved:
            pk = self.moved[pk]
        return pk

    def write(self) -> dict[int, int]:
        """Everything that changed; the keys of the rows by the numbers they had here."""
        kind, gone = self.kind, set(self.erased) | set(self.moved)
        self._give_over([(old, self.now(old)) for old in self.moved if old > 0])
        erased = [pk for pk in self.erased if pk > 0]
        if erased:
            if kind is CUSTOMERS:
                privacy.anonymise(erased, at=self.at)
            else:
                privacy.anonymise_companies(erased)
        changed = [self.rows[pk] for pk in sorted(self.dirty - gone) if pk > 0]
        if changed:
            kind.model._default_manager.bulk_create(
                changed,
                update_conflicts=True,
                unique_fields=["id"],
                update_fields=[*(name.removesuffix("_id") for name in kind.fields), "external_id", "changed_at"],
            )
        new = [pk for pk in sorted(self.dirty - gone, reverse=True) if pk < 0]
        kind.model._default_manager.bulk_create([self.rows[pk] for pk in new])
        keys = {pk: self.rows[pk].pk for pk in [*self.rows] if pk > 0 or pk in new}
        self._write_links(keys)
        self._write_owned(keys)
        return keys

    def _give_over(self, pairs: Sequence[tuple[int, int]]) -> None:
        """What points to rows that were merged points to those that stay."""
        if not pairs:
            return
        own = (self.kind.identity, Ownership)
        goes, stays = [old for old, _ in pairs], [pk for _, pk in pairs]
        for relation in self.kind.model._meta.related_objects:
            if relation.field.model in own:
                continue
            table, column = relation.field.model._meta.db_table, relation.field.column
            with connection.cursor() as cursor:
                cursor.execute(
                    f'UPDATE "{table}" AS pointing SET "{column}" = given.stays'
                    " FROM unnest(%s::bigint[], %s::bigint[]) AS given (goes, stays)"
                    f' WHERE pointing."{column}" = given.goes',
                    [goes, stays],
                )
        self.kind.model._default_manager.filter(pk__in=goes).delete()

    def _write_links(self, keys: Mapping[int, int]) -> None:
        model, link = self.kind.identity, f"{self.kind.link}_id"
        if self.revived:
            gone = Q()
            for system, number in self.revived:
                gone |= Q(system=system, external_id=number)
            model._default_manager.filter(gone).delete()
        rows = []
        for (system, number), pk in sorted(self.links.items()):
            key = None if pk is None else keys.get(self.now(pk))
            if key is not None or pk is None:
                gone_at = self.gone.get((system, number)) if pk is None else None
                is_merged = (system, number) in self.merged
                row = model(system=system, external_id=number, gone_at=gone_at, is_merged=is_merged, **{link: key})
                rows.append(row)
        if rows:
            model._default_manager.bulk_create(
                rows,
                update_conflicts=True,
                unique_fields=["system", "external_id"],
                update_fields=[self.kind.link, "gone_at", "is_merged"],
            )

    def _write_owned(self, keys: Mapping[int, int]) -> None:
        link = self.kind.link
        rows = {
            (keys[self.now(pk)], product): self.owned[self.now(pk)].get(product)
            for pk, product in sorted(self.bought)
            if self.now(pk) in keys and self.now(pk) not in self.erased
        }
        if rows:
            Ownership.objects.bulk_create(
                [
                    Ownership(**{f"{link}_id": key}, product=product, since=since)
                    for (key, product), since in rows.items()
                ],
                update_conflicts=True,
                unique_fields=[link, "product"],
                update_fields=["since"],
            )

    def _read(self, entries: Sequence[Entry]) -> None:
        wanted = sorted({given for entry in entries for given in entry.named})
        addresses = {number for system, number in wanted if system == "email"}
        marks = sorted({entry.mark for entry in entries if entry.mark} | addresses)
        link = f"{self.kind.link}_id"
        known = self._identities([*wanted, *(("email", mark) for mark in marks if self.kind is CUSTOMERS)])
        found = Q(pk__in={pk for _, _, pk, _ in known if pk is not None})
        found |= Q(external_id__in=[reference_of(given) for given in wanted])
        found |= Q(pk__in=_with_addresses(marks)) if self.kind is CUSTOMERS else Q(domain__in=marks) & ~Q(domain="")
        self._hold(self.kind.model._default_manager.select_for_update().filter(found).order_by("pk"))
        for system, number, pk, gone_at in known:
            if pk in self.rows and system == "email":
                self.by_mark.setdefault(number, pk)
            self.standing[system, number] = pk
            if gone_at is not None:
                self.gone[system, number] = gone_at
        identities = self.kind.identity._default_manager.filter(**{f"{link}__in": list(self.rows)})
        for system, number, pk, is_merged in identities.values_list("system", "external_id", link, "is_merged"):
            self.know((system, number), pk)
            if is_merged:
                self.merged.add((system, number))
            self.standing[system, number] = pk
        owned = Ownership.objects.filter(**{f"{link}__in": list(self.rows)})
        for pk, product, since in owned.values_list(link, "product", "since"):
            self.owned[pk][product] = since

    def _hold(self, rows: Iterable[Any]) -> None:
        shared = set()
        for row in rows:
            self.rows[row.pk] = row
            mark = str(getattr(row, self.kind.mark)).lower()
            if mark in self.by_mark:
                shared.add(mark)
            elif mark:
                self.by_mark[mark] = row.pk  # of several customers with one address the one known longest
            if row.external_id:
                self.know(id_of(row.external_id), row.pk)
        for mark in shared if self.kind is ACCOUNTS else ():
            del self.by_mark[mark]

    def _identities(self, wanted: list[Id]) -> list[tuple[str, str, int | None, datetime | None]]:
        with connection.cursor() as cursor:
            # Only names of our own tables are put in.
            cursor.execute(
                f'SELECT system, external_id, {self.kind.link}_id, gone_at FROM "{self.kind.identity._meta.db_table}"'
                " WHERE (system, external_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))",
                [[system for system, _ in wanted], [number for _, number in wanted]],
            )
            return list(cursor.fetchall())


def _with_addresses(addresses: list[str]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM intake_customer WHERE lower(email) = ANY(%s) AND email <> ''", [addresses])
        return [row[0] for row in cursor.fetchall()]
