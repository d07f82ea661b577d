"""Records of customers or companies put to the rows they mean, one after the other as they came."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from intake.ledger_rows import ACCOUNTS, CUSTOMERS, Entry, Kind, Rows
from intake.models.customers import Id, id_of, reference_of

# What came of a record: a status, the row's number, and a sentence where there is something to tell.
Told = tuple[Any, int | None, str]


def take(kind: Kind, entries: Sequence[Entry], *, at: datetime) -> list[Told]:
    """What came of each, inside the caller's transaction; every entry sees what the ones before it did."""
    ledger = _Ledger(kind, entries, at=at)
    told = [ledger.judge(entry) for entry in entries]
    keys = ledger.write()
    return [(status, keys.get(ledger.now(pk)) if pk is not None else None, reason) for status, pk, reason in told]


class _Ledger(Rows):
    """The rows with what may be done to them."""

    def judge(self, entry: Entry) -> Told:
        if not entry.ids and not entry.mark:
            return "skipped", None, "It has no id and no address by which it could be known again."
        if entry.is_gone and entry.merged_into is None:
            return self._deleted(entry)
        if entry.ids and (gone_at := self.gone.get(entry.ids[0])) and entry.merged_into is None:
            if entry.changed_at is None or entry.changed_at <= gone_at:
                return "skipped", None, "It was deleted before, and this says nothing newer."
            del self.gone[entry.ids[0]]
            self.revived.append(entry.ids[0])
        if entry.merged_into is not None:
            return self._merged(entry, entry.merged_into)
        return self._stored(entry)

    def _stored(self, entry: Entry) -> Told:
        pk = next((self.now(self.by_id[given]) for given in entry.ids if given in self.by_id), None)
        reason = ""
        facts, united = dict(entry.facts), len(self.moved)
        marked = self.by_mark.get(entry.mark) if entry.mark else None
        marked = self.now(marked) if marked is not None else None
        if pk is None and marked is not None and self._fits(entry, marked):
            pk = marked
        is_new = pk is None
        if pk is None:
            pk = self._made(entry)
        elif marked not in (None, pk):
            reason = self._met(entry, pk, int(marked or 0), facts)
            pk = self.now(pk)
        for given in entry.merged:
            other = self.by_id.get(given)
            if other is not None and self.now(other) != pk:
                pk = self._unite(self.now(other), pk)
        changed = len(self.moved) > united
        changed |= self._link(pk, entry.ids)
        changed |= self._link(pk, entry.merged, merged=True)
        changed |= self._tell(pk, facts, entry)
        changed |= self._own(pk, entry.owned)
        return ("created" if is_new else "updated" if changed else "unchanged"), pk, reason

    def _fits(self, entry: Entry, pk: int) -> bool:
        """Whether an address or domain alone makes them one: not where the same system tells them apart, unless a person has no
        number of ours, for then the address is the person."""
        if not entry.ids:
            return True
        own = entry.ids[0]
        told_apart = any(system == own[0] and (system, number) != own for system, number in self.ids[pk])
        if self.kind is CUSTOMERS and own[0] and not self.rows[pk].external_id:
            return True
        return not told_apart

    def _met(self, entry: Entry, pk: int, other: int, facts: dict[str, Any]) -> str:
        """Its id is one row's, its address or domain another's: they are one, unless the same system tells them apart."""
        system = entry.ids[0][0]
        theirs = {number for each, number in self.ids[other] if each == system}
        numbers = [id_of(row.external_id) for row in (self.rows[pk], self.rows[other]) if row.external_id]
        if self.kind is CUSTOMERS and not theirs and not (len(numbers) == 2 and numbers[0] != numbers[1]):
            self._unite(other, pk)
            return ""
        if self.kind is ACCOUNTS or self.rows[pk].external_id or self.rows[other].external_id:
            return ""  # both may have it
        facts["email"] = ""
        return "Its address belongs to another customer of the same system. It was left out."

    def _made(self, entry: Entry) -> int:
        pk = -1 - len([each for each in self.rows if each < 0])
        self.rows[pk] = self.kind.model()
        if self.kind is ACCOUNTS:
            self.rows[pk].external_id = reference_of(entry.ids[0])
        self.dirty.add(pk)
        return pk

    def _link(self, pk: int, ids: Iterable[Id], *, merged: bool = False) -> bool:
        row, changed = self.rows[pk], False
        for given in ids:
            self.know(given, pk)
            if given[0] == "email":
                self.by_mark.setdefault(given[1], pk)
            own = id_of(row.external_id) if row.external_id else None
            if given == own:
                continue
            if given[0] == "" and (own is None or own[0]):
                # A number of our own takes the place of what another system calls them.
                if own is not None:
                    self.links[own] = pk
                row.external_id = given[1]
                self.dirty.add(pk)
                changed = True
            elif self.links.get(given, self.standing.get(given)) != pk or (merged and given not in self.merged):
                self.links[given] = pk
                changed = True
            if merged:
                self.merged.add(given)
        return changed

    def _tell(self, pk: int, facts: Mapping[str, Any], entry: Entry) -> bool:
        row, changed = self.rows[pk], False
        is_behind = entry.only_fills or (entry.ids[:1] and entry.ids[0] in self.merged)
        is_newer = not is_behind and (
            entry.changed_at is None or row.changed_at is None or entry.changed_at >= row.changed_at
        )
        replaces_value = is_newer or row.value is None if self.kind is ACCOUNTS else is_newer
        for name, value in facts.items():
            known = getattr(row, name)
            replaces = replaces_value if name in ("value", "currency") else is_newer or known in (None, "")
            if value not in (None, "") and replaces and value != known:
                setattr(row, name, value)
                changed = True
                if name == self.kind.mark:
                    self.by_mark.setdefault(str(value), pk)
        if is_newer and entry.changed_at is not None and entry.changed_at != row.changed_at:
            row.changed_at = entry.changed_at
            self.dirty.add(pk)
        if changed:
            self.dirty.add(pk)
        return changed

    def _own(self, pk: int, owned: Mapping[str, date | None]) -> bool:
        changed = False
        for product, since in owned.items():
            known = self.owned[pk]
            if product not in known or (since is not None and known[product] != since):
                known[product] = since
                self.bought.add((pk, product))
                changed = True
        return changed

    def _merged(self, entry: Entry, into: Id) -> Told:
        target, own = self.by_id.get(into), next((self.by_id[each] for each in entry.ids if each in self.by_id), None)
        if target is None and own is None:
            # Which of the two is told of first is chance; what the other says comes to the same row.
            target = self._made(Entry(ids=(into,), mark="", facts={}))
            self._link(target, (into,))
            self._link(target, entry.ids, merged=True)
            return "created", target, ""
        pk = self.now(target if target is not None else int(own or 0))
        changed = own is not None and self.now(own) != pk
        if changed:
            pk = self._unite(self.now(int(own or 0)), pk)
        changed |= self._link(pk, (into,))
        changed |= self._link(pk, entry.ids, merged=True)
        return ("updated" if changed else "unchanged"), pk, ""

    def _unite(self, other: int, pk: int) -> int:
        """Two rows become one, told as `pk` tells it where both say something; the key of the one that stays, which is a stored
        one where there is one."""
        stays, goes = (other, pk) if pk < 0 < other else (pk, other)
        first, second, row = self.rows[pk], self.rows[other], self.rows[stays]
        references = [each.external_id for each in (first, second) if each.external_id]
        worth = first if self.kind is CUSTOMERS or first.value is not None else second
        for name in self.kind.fields:
            said = getattr(worth if name in ("value", "currency") else first, name)
            setattr(row, name, getattr(second, name) if said in (None, "") and worth is first else said)
        if references:
            row.external_id = next((each for each in references if not id_of(each)[0]), references[0])
        self.moved[goes] = stays
        self.dirty.discard(goes)
        self.dirty.add(stays)
        for mark in [mark for mark, known in self.by_mark.items() if known in (pk, other)]:
            self.by_mark[mark] = stays
            if self.kind is CUSTOMERS and mark != row.email:
                self.links["email", mark] = stays
        for given in {*self.ids.pop(goes, set()), *map(id_of, references)}:
            self.know(given, stays)
            if not row.external_id or given != id_of(row.external_id):
                self.links[given] = stays
        for product, since in self.owned.pop(goes, {}).items():
            self.owned[stays].setdefault(product, since)
            self.bought.add((stays, product))
        return stays

    def _deleted(self, entry: Entry) -> Told:
        gone_at = entry.changed_at or self.at
        pk = next((self.now(self.by_id[given]) for given in entry.ids if given in self.by_id), None)
        if pk is None and not entry.ids:
            marked = self.by_mark.get(entry.mark)
            pk = self.now(marked) if marked is not None else None
        if pk is None:
            for given in entry.ids:
                self._bury(given, gone_at)
            return "skipped", None, "It was deleted at the source, and nobody is known here by its id."
        others = {given for given in self.ids[pk] if given[0] != "email"} - set(entry.ids)
        if others and not entry.for_privacy:
            row = self.rows[pk]
            if row.external_id and id_of(row.external_id) in entry.ids:
                row.external_id = reference_of(min(others))
                self.dirty.add(pk)
            for given in entry.ids:
                self._bury(given, gone_at)
            return "updated", pk, "It was deleted at the source; others still know them, so they stay."
        for given in [*self.ids[pk], *entry.ids]:
            self._bury(given, gone_at)
        self.by_mark = {mark: known for mark, known in self.by_mark.items() if known != pk}
        self.dirty.discard(pk)
        self.erased.append(pk)
        return "deleted", pk, ""

    def _bury(self, given: Id, gone_at: datetime) -> None:
        pk = self.by_id.pop(given, None)
        if pk is not None:
            self.ids[self.now(pk)].discard(given)
        self.links.pop(given, None)
        if given[0] != "email":  # nothing that names a person outlives them
            self.gone[given] = gone_at
            self.links[given] = None
