"""Feedback as plain JSON objects, whoever wrote them: one object, one thing somebody said."""

import hashlib
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from itertools import chain, islice
from typing import Any, BinaryIO

from feedback_portal.marking import marked
from intake.connectors import connectors, mapped, presets
from intake.connectors.base import BadRow, Draft, RawItem, Row, Unreadable
from intake.connectors.columns import Plan, plan_of, says_feedback, told
from intake.connectors.documents import DocumentConnector, packed
from intake.connectors.mapped import Origin
from intake.connectors.moments import Unclear
from intake.connectors.presets import Preset, plain
from intake.occurrences import Occurrences

_LOOKED_AT = 100


@connectors.register
class JsonFile(DocumentConnector):
    """Settings of a channel as for tables; a member of a member is a column too, called "outer.inner".

    An object without a number of its own is known again by everything it holds, and by how often that stood before it.
    """

    slug = "json_file"
    name = marked("Objects (JSON, JSON Lines)")
    is_general = True
    asks = mapped.ASKS

    def rows(self, file: BinaryIO, *, settings: Mapping[str, Any]) -> Generator[Row | BadRow, None, None]:
        with closing(self.objects(file, settings=settings)) as found:
            first = list(islice(found, _LOOKED_AT))
            _check([row for row in first if isinstance(row, Row)], settings)
            with closing(Occurrences()) as before:
                for row in chain(first, found):
                    yield _numbered(row, before) if isinstance(row, Row) else row

    def objects(self, file: BinaryIO, *, settings: Mapping[str, Any]) -> Generator[Row | BadRow, None, None]:
        """The same, whether or not any of them is feedback; those without a number of their own have none yet."""
        for row in super().rows(file, settings=settings):
            yield Row(row.number, row.raw, json.loads(row.raw.payload)) if isinstance(row, Row) else row

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        mapping, chosen = told(settings), str(settings.get("preset") or "")
        for each in _objects(found, mapping, chosen):
            yield _raw(flat(each), settings, mapping, chosen)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        return mapped.draft_of(raw, settings=settings)


def _check(first: Sequence[Row], settings: Mapping[str, Any]) -> None:
    mapping, chosen = told(settings), str(settings.get("preset") or "")
    read = [plan_for(tuple(row.cells), mapping, chosen) for row in first]
    if read and all(preset.refusal for preset, _ in read):
        raise Unreadable(read[0][0].refusal)
    if read and not any(plan.is_feedback for _, plan in read):
        names = ", ".join(dict.fromkeys(name for row in first for name in row.cells))
        raise Unreadable(
            f"None of the members is known to hold a text, a title or a rating. They are: {names[:500]}."
            ' Say what they hold on the page of the import, or in the settings of the channel, as in {"columns": {"what": "text"}}.'
        )


def _numbered(row: Row, before: Occurrences) -> Row:
    """Only the file as a whole knows how often an object without a number stood there before."""
    if row.raw.external_id:
        return row
    digest = hashlib.sha256(row.raw.payload)
    return replace(row, raw=replace(row.raw, external_id=f"row:{digest.hexdigest()}:{before.count(digest.digest())}"))


def flat(found: Mapping[str, Any]) -> dict[str, str]:
    """An object as texts by column, flattened by one level, in the order of the names."""
    cells: dict[str, str] = {}
    for name, value in found.items():
        if isinstance(value, Mapping):
            cells |= {f"{name}.{inner}"[:200]: _written(part) for inner, part in value.items()}
        else:
            cells[str(name)[:200]] = _written(value)
    return dict(sorted(cells.items()))


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and not any(isinstance(each, dict | list) for each in value):
        return ", ".join(_written(each) for each in value)
    return packed(value).decode()


def _objects(found: Any, mapping: tuple[tuple[str, str], ...], chosen: str) -> list[Mapping[str, Any]]:
    """The objects of a document: it is a list of them, one of them, or holds one list of them under some name."""
    if isinstance(found, Mapping):
        lists = [value for value in found.values() if _is_list_of_objects(value)]
        if len(lists) == 1 and not plan_for(tuple(flat(found)), mapping, chosen)[1].is_feedback:
            return list(lists[0])
        return [found]
    if _is_list_of_objects(found):
        return list(found)
    raise Unreadable("It is JSON, but neither an object nor a list of objects. Send one object for each thing said.")


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)


@lru_cache(maxsize=1024)
def plan_for(columns: tuple[str, ...], mapping: tuple[tuple[str, str], ...], chosen: str) -> tuple[Preset, Plan]:
    """The export that objects of these columns are of, and what each column holds."""
    preset = presets.named(chosen) if chosen else presets.of([columns])
    if preset.refusal and says_feedback(columns, mapping):
        preset = presets.GENERIC
    return preset, plan_of(columns, mapping, preset)


def _raw(
    cells: dict[str, str], settings: Mapping[str, Any], mapping: tuple[tuple[str, str], ...], chosen: str
) -> RawItem:
    preset, plan = plan_for(tuple(cells), mapping, chosen)
    origin = Origin(preset)
    own = next((cells[name].strip() for name in plan.columns.get("external_id", ()) if cells[name].strip()), "")
    if preset.identify is not None:
        own = preset.identify({plain(name): value for name, value in cells.items()})
    version = None
    for name in plan.columns.get("updated_at", ()):
        try:
            version = origin.moment(cells[name], settings=settings)
            break
        except Unclear:
            continue
    return RawItem(own, packed(cells), origin.content_type, updated_at=version)
