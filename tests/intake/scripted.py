"""A source that answers what a test says, and a visit of a connector to it."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from intake.connectors import connectors
from intake.connectors.base import (
    Answer,
    FileConnector,
    Page,
    PullConnector,
    RawItem,
    Request,
    Row,
)

AT = datetime(2026, 5, 10, 12, tzinfo=UTC)


@dataclass
class Source:
    """Answers by the order of asking or by a function; what was asked is kept."""

    answer: Callable[[str, dict[str, str]], Any]
    asked: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        self.asked.append(request)
        parts = urlsplit(request.url)
        said = self.answer(parts.path, {name: values[-1] for name, values in parse_qs(parts.query).items()})
        if isinstance(said, Answer):
            return said
        return Answer(200, {}, json.dumps(said).encode())

    @property
    def paths(self) -> list[str]:
        return [urlsplit(request.url).path for request in self.asked]

    def query(self, place: int) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.asked[place].url).query).items()}


def kind(slug: str) -> PullConnector:
    found = connectors.get(slug)
    assert isinstance(found, PullConnector)
    return found


def walk(
    slug: str,
    source: Source,
    cursor: Mapping[str, Any] | None = None,
    *,
    at: datetime = AT,
    secrets: Mapping[str, str] | None = None,
    **settings: str,
) -> tuple[list[RawItem], dict[str, Any]]:
    """All that one visit finds, and where it left off. The cursor is kept as the portal keeps it, as JSON."""
    found: list[RawItem] = []
    kept = dict(cursor or {})
    for page in pages(slug, source, kept, at=at, secrets=secrets, **settings):
        found += page.raws
        kept = json.loads(json.dumps(page.cursor))
    return found, kept


def pages(
    slug: str,
    source: Source,
    cursor: Mapping[str, Any],
    *,
    at: datetime = AT,
    secrets: Mapping[str, str] | None = None,
    **settings: str,
) -> Iterator[Page]:
    return kind(slug).pages(cursor, ask=source, settings=settings, secrets=secrets or {"token": "s3cret"}, at=at)


def ids(raws: list[RawItem]) -> list[str]:
    return [("gone " if raw.is_gone else "") + raw.external_id for raw in raws]


def raws(slug: str, found: Any) -> list[RawItem]:
    connector = connectors.get(slug)
    assert isinstance(connector, FileConnector)
    written = found if isinstance(found, bytes) else (found if isinstance(found, str) else json.dumps(found)).encode()
    rows = list(connector.rows(io.BytesIO(written), settings={}))
    assert all(isinstance(row, Row) for row in rows)
    return [row.raw for row in rows if isinstance(row, Row)]
