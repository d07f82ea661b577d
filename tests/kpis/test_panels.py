"""How far feedback went, who is not heard, and what numbers mean: each page says what the items say."""

from collections.abc import Callable

import pytest
from django.test import Client

from feedback_portal.accounts.models import Role
from intake.models import Account, Customer, FeedbackItem
from kpis import coverage, integration, recording
from kpis.definitions import definitions
from kpis.questions import Question, ask
from tests.kpis.town import HOUR, NOW, WEEK, Town, fill, recount
from tests.makers import actor, make_person
from triage.models import Action, Verdict

DAYS = "from=2026-03-02&to=2026-03-08"


@pytest.fixture
def town(db: None) -> Town:
    town = Town()
    fill(town)
    return town


def question(**changes: str) -> Question:
    lena = actor(make_person("Lena", role=Role.MANAGER))
    return ask({"from": "2026-03-02", "to": "2026-03-08"} | changes, actor=lena, at=NOW)


def test_every_step_opens_exactly_its_items(town: Town) -> None:
    Verdict.objects.create(
        action=Action.objects.earliest("pk"), outcome="worked", method="rate", sentence="It did.", unit="ratio", judged_at=NOW
    )  # fmt: skip
    recount()
    kpi = definitions.get("integrated")

    steps = {step.slug: step.n for step in integration.steps(question())}

    assert steps == {
        "denominator": 12, "acknowledged": 4, "understood": 9, "owned": 0, "decided": 9, "acted": 2, "told": 4, "verified": 1,
    }  # fmt: skip
    for side, number in steps.items():
        assert recording.items_behind(kpi, WEEK, side, as_of=NOW).count() == number


def test_groups_add_up_to_the_whole(town: Town) -> None:
    FeedbackItem.objects.filter(rating_value=5).update(product="H4")
    recount()

    tables = {table.by: {row.name: row.received for row in table.rows} for table in integration.groups(question())}

    grid = dict(integration.heat(question()).rows)
    assert {name: cells[3].shown for name, cells in grid.items()} == {"Logistics": "3 of 4", "Quality": "6 of 8"}
    assert "team=quality" in grid["Quality"][3].href
    assert tables["product"] == {"Not known": 10, "H4": 2}
    assert tables["segment"] == {"Not known": 12}


def test_who_is_silent_is_named_and_scores_are_weighed(town: Town) -> None:
    homes, offices = (Account.objects.create(external_id=name, segment=name) for name in ("Home", "Office"))
    Customer.objects.bulk_create(
        Customer(external_id=f"c{n}", account=offices if n % 10 == 0 else homes) for n in range(100)
    )
    speakers = list(Customer.objects.order_by("pk"))
    # Of ten offices all ten speak and are content, of ninety homes thirty do and are not.
    loud = [each for each in speakers if each.account_id == offices.pk] + [
        each for each in speakers if each.account_id == homes.pk
    ][:30]
    for each in loud:
        town.item(after=HOUR, scale="csat5", value=5 if each.account_id == offices.pk else 2, customer=each)
    recount()

    panel = coverage.panels(question())[0]
    weighed = coverage.reweighted(question())[0]

    verdicts = {voice.name: voice.verdict for voice in panel.voices}
    assert verdicts == {"Home": "Heard less", "Office": "Heard more"}
    assert weighed.raw == pytest.approx(0.25)
    assert weighed.adjusted == pytest.approx(0.1)
    # Thirty of forty answers stand for nine of ten customers: 1.2 each, the other ten 0.4.
    assert {each.name: each.weight for each in weighed.weights} == pytest.approx({"Home": 1.2, "Office": 0.4})
    assert weighed.effective == pytest.approx((30 * 1.2 + 10 * 0.4) ** 2 / (30 * 1.2**2 + 10 * 0.4**2))
    raw = sum(each.weight * each.satisfied for each in weighed.weights) / weighed.n
    assert raw == pytest.approx(weighed.adjusted)


def test_the_pages_open(town: Town, signed_in: Callable[..., Client]) -> None:
    recount()
    browser = signed_in(Role.MANAGER)

    pages = {name: browser.get(f"/kpis/{name}/?{DAYS}") for name in ("integration", "coverage", "definitions")}

    assert {name: page.status_code for name, page in pages.items()} == dict.fromkeys(pages, 200)
    for kpi in definitions.all():
        assert f"version {kpi.version}" in pages["definitions"].content.decode()
