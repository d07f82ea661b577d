"""Every kind of channel still reads what was recorded from it: a payload, its draft beside it, and nothing unproven.

`payloads/<slug>/<case>.<ending>` is what arrived, `<case>.draft.json` what it means: the fields of the draft that are not
empty, or {"unreadable": …} or {"ignored": …} with the reason. `<case>.settings.json` holds the channel's settings, if any.
"""

import json
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intake.connectors import connectors
from intake.connectors.base import Connector, Ignored, RawItem, Unreadable

RECORDED = Path(__file__).parent / "payloads"
BESIDE = (".draft.json", ".settings.json")

MEMBERS = st.sampled_from(["text", "rating", "customer", "context", "submitted_at", "answers", "other"])
ANY_JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=4),
    max_leaves=8,
)


def cases(slug: str) -> list[Path]:
    return sorted(path for path in (RECORDED / slug).glob("*") if not path.name.endswith(BESIDE))


def beside(path: Path, kind: str) -> Path:
    return path.with_name(path.name.partition(".")[0] + kind)


def settings_of(path: Path) -> dict[str, Any]:
    written = beside(path, ".settings.json")
    return dict(json.loads(written.read_text(encoding="utf-8"))) if written.exists() else {}


def read(connector: Connector, path: Path) -> Any:
    try:
        return told(connector.parse(RawItem("recorded", path.read_bytes()), settings=settings_of(path)))
    except Unreadable as reason:
        return {"unreadable": str(reason)}
    except Ignored as reason:
        return {"ignored": str(reason)}


def told(value: Any) -> Any:
    """A draft as JSON tells it: only what says something, so that a new field changes no old record."""
    if is_dataclass(value):
        members = {member.name: told(getattr(value, member.name)) for member in fields(value)}
        return {name: member for name, member in members.items() if member not in ("", None, False, {}, [])}
    if isinstance(value, tuple):
        return [told(each) for each in value]
    if isinstance(value, dict):
        return {name: told(each) for name, each in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return str(value) if isinstance(value, Decimal) else value


def recorded() -> list[Any]:
    return [
        pytest.param(connector, path, id=f"{connector.slug}/{path.name}")
        for connector in connectors.all()
        for path in cases(connector.slug)
    ]


@pytest.mark.parametrize("connector", connectors.all(), ids=lambda connector: connector.slug)
def test_every_connector_has_recorded_payloads(connector: Connector) -> None:
    assert cases(connector.slug), f"Put payloads of {connector.slug} under {RECORDED / connector.slug}."


@pytest.mark.parametrize(("connector", "path"), recorded())
def test_a_recorded_payload_means_what_it_meant(connector: Connector, path: Path) -> None:
    expected = beside(path, ".draft.json")

    assert expected.exists(), f"Write down what {path.name} means in {expected.name}."
    assert read(connector, path) == json.loads(expected.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("connector", "path"), recorded())
def test_the_same_bytes_give_the_same_draft(connector: Connector, path: Path) -> None:
    assert read(connector, path) == read(connector, path)


def test_no_record_is_left_without_its_connector() -> None:
    assert {path.name for path in RECORDED.iterdir()} <= {connector.slug for connector in connectors.all()}


@pytest.mark.parametrize("connector", connectors.all(), ids=lambda connector: connector.slug)
@settings(deadline=None)
@given(payload=st.binary(max_size=200) | ANY_JSON.map(lambda said: json.dumps(said).encode()))
def test_whatever_arrives_is_read_or_refused_in_words(connector: Connector, payload: bytes) -> None:
    try:
        connector.parse(RawItem("any", payload), settings={})
    except (Unreadable, Ignored) as reason:
        said = str(reason)
    else:
        said = "It was read."
    assert said.endswith("."), "a reason is a whole sentence"
