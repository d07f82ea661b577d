"""Walks back from the newest: none is missed when one is cut short."""

from datetime import timedelta

from intake.connectors.base import (
    RawItem,
)
from intake.connectors.walks import MOST_PAGES, Found, back_to_known
from tests.intake.scripted import AT


def test_a_walk_cut_short_goes_on_where_it_stopped_and_only_then_moves_its_mark() -> None:
    asked: list[tuple[str, str]] = []

    def fetch(page: str, known: str) -> Found:
        asked.append((page, known))
        number = int(page or 0)
        return Found(
            [RawItem(str(number), b"")], str(1000 - number), str(number + 1) if number < MOST_PAGES + 1 else ""
        )

    first = list(back_to_known("feed", {"feed": {"known": "7"}}, fetch, at=AT))
    second = list(back_to_known("feed", first[-1].cursor, fetch, at=AT + timedelta(minutes=5)))

    assert len(first) == MOST_PAGES
    assert first[-1].cursor["feed"]["known"] == "7"
    assert [page.raws[0].external_id for page in second] == [str(MOST_PAGES), str(MOST_PAGES + 1)]
    assert second[-1].cursor["feed"] == {"known": "1000"}
    assert {known for _, known in asked} == {"7"}


def test_a_walk_too_old_begins_anew_from_the_newest() -> None:
    stale = {"feed": {"known": "7", "newest": "9", "next": "lost", "begun": AT.isoformat()}}
    asked = []

    def fetch(page: str, known: str) -> Found:
        asked.append(page)
        return Found([], "12")

    (page,) = back_to_known("feed", stale, fetch, at=AT + timedelta(hours=2))

    assert asked == [""]
    assert page.cursor["feed"] == {"known": "12"}
