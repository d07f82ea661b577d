"""Walks through sources that tell their newest first: none is missed when a walk is cut short, and what was found is looked
at again, since such sources do not tell of edits and deletions."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from intake.connectors.base import Page, RawItem
from intake.connectors.social import NAMELESS

# Of one feed in one run; the next run goes on where this one stopped.
MOST_PAGES = 20
MOST_WATCHED = 300
# Vendors forget where a walk stood; one that was left for longer begins anew from the newest.
_PLACE_HOLDS = timedelta(hours=1)


@dataclass(frozen=True)
class Found:
    """One answer of the source: what it holds, the mark of its newest, and where it goes on ("" at what is known, or at the
    end)."""

    raws: Sequence[RawItem]
    newest: str = ""
    next: str = ""


def back_to_known(
    feed: str, cursor: Mapping[str, Any], fetch: Callable[[str, str], Found], *, at: datetime
) -> Generator[Page, None, Mapping[str, Any]]:
    """From the newest back to what the last whole walk began with. `fetch(next, known)` asks for one page, "" being the first
    and no mark at all; gives the cursor that the walk ended with."""
    part = _part(cursor, feed)
    known, page, newest, left = (part.get(name, "") for name in ("known", "next", "newest", "left"))
    if not page or at - _moment(left) > _PLACE_HOLDS:
        page, newest = "", ""
    for _ in range(MOST_PAGES):
        found = fetch(page, known)
        newest, page = newest or found.newest, found.next
        # Only a whole walk moves the mark: what lies between would otherwise never be asked for again.
        now = {"known": newest or known}
        if page:
            now = {"known": known, "newest": newest, "next": page, "left": at.isoformat()}
        after = {**cursor, feed: {name: value for name, value in now.items() if value}}
        if found.raws or after[feed] != part:
            yield Page(found.raws, after)
            cursor, part = after, after[feed]
        if not page:
            break
    return cursor


def and_again(
    found: Generator[Page, None, Mapping[str, Any]],
    cursor: Mapping[str, Any],
    look: Callable[[Mapping[str, str]], Sequence[RawItem]],
    *,
    at: datetime,
    every: timedelta,
    batch: int,
    key: Callable[[RawItem], str] = lambda raw: raw.external_id,
) -> Iterator[Page]:
    """The pages as they are found, then one batch of what was found lately and not looked at for so long. `look` gets our
    ids, each with the source's own `key`, and gives how they now stand, what is gone marked so."""
    watched = _watched(cursor)
    while True:
        try:
            page = next(found)
        except StopIteration as ended:
            cursor = ended.value
            break
        for raw in page.raws:
            if raw.external_id.startswith(NAMELESS):
                continue  # nobody can be asked for it by that id
            watched[raw.external_id] = [key(raw), _written(raw.updated_at or at), _written(at)]
        watched = _latest(watched, page.raws)
        yield Page(page.raws, {**page.cursor, "watched": watched})
    due = [name for name, (_, _, looked_at) in watched.items() if at - _moment(looked_at) >= every]
    due = sorted(due, key=lambda name: watched[name][2])[:batch]
    if due:
        raws = look({name: watched[name][0] for name in due})
        watched |= {name: [*watched[name][:2], _written(at)] for name in due}
        yield Page(raws, {**cursor, "watched": _latest(watched, raws)})


def _watched(cursor: Mapping[str, Any]) -> dict[str, list[str]]:
    """By our id: the source's key, the time of the version we have, and when it was last looked at."""
    return {name: [str(each) for each in entry] for name, entry in _part(cursor, "watched").items() if len(entry) == 3}


def _latest(watched: Mapping[str, list[str]], raws: Sequence[RawItem]) -> dict[str, list[str]]:
    gone = {raw.external_id for raw in raws if raw.is_gone}
    stand = [(name, entry) for name, entry in watched.items() if name not in gone]
    return dict(sorted(stand, key=lambda pair: pair[1][1], reverse=True)[:MOST_WATCHED])


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(written: Any) -> datetime:
    try:
        found = datetime.fromisoformat(str(written))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _part(cursor: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = cursor.get(name)
    return dict(part) if isinstance(part, Mapping) else {}
