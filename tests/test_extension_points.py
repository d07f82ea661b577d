"""A new kind of thing is one new file: the portal finds it, uses it and shows it, with no other edit and no migration."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from textwrap import dedent

import pytest
from django.core.management import call_command
from django.test import Client

import intake.connectors
import kpis.definitions
import triage.taggers
from feedback_portal.accounts.models import Role
from feedback_portal.registry import Registry
from intake import importing, receiving
from intake.connectors.base import RawItem
from intake.models import Channel, FeedbackItem
from kpis.models import Measurement
from tests.makers import make_person
from triage.models import Analysis, Ticket

pytestmark = pytest.mark.django_db(transaction=True)

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)

CONNECTOR = '''
    """Notes from the shop floor: one line of text, a bar, a number of stars."""

    from collections.abc import Mapping
    from decimal import Decimal
    from typing import Any

    from intake.connectors import connectors
    from intake.connectors.base import Connector, Draft, Rating, RawItem


    @connectors.register
    class ShopNote(Connector):
        slug = "shop-note"
        name = "Shop note"

        def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
            text, _, stars = raw.payload.decode().partition("|")
            return Draft(text=text, rating=Rating("stars5", Decimal(stars)))
'''

# What the README leaves out of its example.
IMPORTS = """
from collections.abc import Iterator, Mapping
from typing import Any

from intake.connectors import connectors
from intake.connectors.base import Draft, RawItem
from intake.connectors.documents import DocumentConnector, at, document, packed, rated, text_at

"""

TAGGER = '''
    """Says when an item speaks of a mop."""

    from collections.abc import Sequence

    from triage.taggers.base import Suggestion, Taxonomy, Tagger, Text, taggers


    @taggers.register
    class Mop(Tagger):
        slug = "mop"
        version = 7
        kind = "cleaning"

        def tag(self, batch: Sequence[Text], taxonomy: Taxonomy) -> list[list[Suggestion]]:
            return [[Suggestion("cleaning", "mop", 0.9, "It says mop.")] if "mop" in text.text else [] for text in batch]
'''


KPI = '''
    """How many say thank you."""

    from datetime import datetime

    from django.db.models import Q

    from kpis.definitions import definitions
    from kpis.definitions.base import Share


    @definitions.register
    class Thanks(Share):
        slug = "thanks"
        name = "Say thank you"
        numerator = "items that say thank you"
        denominator = "items with a text"
        definition = "Items that say thank you among those with a text."

        def counted(self, *, as_of: datetime) -> Q:
            return ~Q(text="")

        def hit(self, *, as_of: datetime) -> Q:
            return Q(text__icontains="thank")
'''


@pytest.fixture
def new_file(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Lay one file into a plugin package, as a developer would, and take it away again."""
    packages: list[tuple[list[str], Registry, set[str], str]] = []

    def lay(package, registry: Registry, name: str, source: str) -> None:  # type: ignore[no-untyped-def, type-arg]
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / f"{name}.py").write_text(dedent(source))
        packages.append(
            (package.__path__, registry, {plugin.slug for plugin in registry.all()}, f"{package.__name__}.{name}")
        )
        package.__path__.append(str(folder))
        registry.load(package.__name__)

    yield lay
    for path, registry, known, module in packages:
        path.pop()
        for slug in {plugin.slug for plugin in registry.all()} - known:
            del registry._plugins[slug]
        sys.modules.pop(module, None)


def say(kind: str, payload: bytes) -> FeedbackItem:
    channel, _ = Channel.objects.get_or_create(slug="floor", defaults={"name": "Shop floor", "kind": kind})
    received = receiving.receive(channel, RawItem("1", payload, "text/plain"), at=AT)
    call_command("drain", stdout=StringIO())
    return FeedbackItem.objects.get(pk=received.submission.pk)


def test_a_new_connector_is_one_file(new_file: Callable[..., None]) -> None:
    new_file(intake.connectors, intake.connectors.connectors, "shop_note", CONNECTOR)

    item = say("shop-note", b"The mop is wet|2")

    assert (item.text, item.rating_scale, item.rating_value) == ("The mop is wet", "stars5", 2)
    assert Ticket.objects.get(item=item).team.is_catch_all


def test_the_channel_that_the_readme_shows_takes_files_in(new_file: Callable[..., None], tmp_path: Path) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    (shown,) = re.findall(r"\*\*A channel\.\*\*.*?```python\n(.*?)```", readme, re.DOTALL)
    new_file(intake.connectors, intake.connectors.connectors, "my_channel", IMPORTS + shown)
    channel = Channel.objects.create(slug="mine", name="Mine", kind="my-channel")
    file = tmp_path / "said.jsonl"
    file.write_text('{"id": 1, "comment": "The mop is wet", "stars": 2}\n{"id": 2, "comment": "Fine", "stars": 9}\n')

    importing.import_file(channel, file, at=AT)
    call_command("drain", stdout=StringIO())

    said = FeedbackItem.objects.order_by("pk").values_list("text", "rating_value")
    assert list(said) == [("The mop is wet", 2), ("Fine", None)]


def test_a_new_tagger_is_one_file(new_file: Callable[..., None]) -> None:
    new_file(intake.connectors, intake.connectors.connectors, "shop_note", CONNECTOR)
    new_file(triage.taggers, triage.taggers.taggers, "mop", TAGGER)

    analysis = Analysis.objects.get(item=say("shop-note", b"The mop is wet|2"))

    assert analysis.versions["mop"] == 7
    assert analysis.evidence["mop"][0]["reason"] == "It says mop."


def test_a_new_kpi_is_one_file(new_file: Callable[..., None], client: Client) -> None:
    new_file(intake.connectors, intake.connectors.connectors, "shop_note", CONNECTOR)
    new_file(kpis.definitions, kpis.definitions.definitions, "thanks", KPI)
    say("shop-note", b"Thank you for the mop|5")
    client.force_login(make_person("Lena", role=Role.MANAGER))
    said = StringIO()

    call_command("kpi", "thanks", "--from", "2026-03-01", "--to", "2026-03-31", stdout=said)

    told = json.loads(said.getvalue())
    assert (told["numerator"], told["denominator"]) == (1, 1)
    assert Measurement.objects.filter(kpi="thanks").exists()
    assert "Say thank you" in client.get("/kpis/?from=2026-03-01&to=2026-03-31").content.decode()


def test_a_tagger_that_breaks_is_recorded_and_skipped(new_file: Callable[..., None]) -> None:
    new_file(intake.connectors, intake.connectors.connectors, "shop_note", CONNECTOR)
    new_file(triage.taggers, triage.taggers.taggers, "mop", TAGGER.replace('"mop" in text.text', "1 / 0"))

    item = say("shop-note", b"The mop is wet|2")

    assert "ZeroDivisionError" in item.analysis.failures["mop"]
    assert Ticket.objects.filter(item=item).exists()


def test_every_kind_is_known_by_its_registry() -> None:
    assert {"web_form", "rest_api", "csv_file"} <= {connector.slug for connector in intake.connectors.connectors.all()}
    assert {"language", "sentiment", "urgency", "topics"} <= {tagger.slug for tagger in triage.taggers.taggers.all()}
    assert len(kpis.definitions.definitions.all()) >= 6
