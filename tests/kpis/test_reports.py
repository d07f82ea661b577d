"""What was reported stays to the last digit, what stands can be counted again, and what is exported is what was counted."""

import csv
import io
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import translation

from feedback_portal.accounts.models import Role
from intake.models import FeedbackItem
from kpis import proving, recording, reports
from kpis.definitions import definitions
from kpis.models import Measurement, Proof, Report, ReportRow
from kpis.questions import Question, ask
from tests.kpis.town import HOUR, NOW, Town, fill, recount
from tests.makers import actor, make_person
from triage.models import ChangedDay


@pytest.fixture
def town(db: None) -> Town:
    town = Town()
    fill(town)
    recount()
    return town


def question(**changes: str) -> Question:
    lena = actor(make_person("Lena", role=Role.MANAGER))
    return ask({"from": "2026-03-02", "to": "2026-03-08"} | changes, actor=lena, at=NOW, looks_back=True)


def frozen(**changes: str) -> Report:
    asked = question(**changes)
    return reports.freeze(asked, title="First week", by=asked.actor, at=NOW)


def told(report: Report) -> list[tuple[object, ...]]:
    return list(report.rows.order_by("position").values_list("kpi", "split", "of", "value", "numerator", "denominator"))


def test_a_report_keeps_its_digits_whatever_comes_later(town: Town) -> None:
    report = frozen()
    before = told(report)

    for number in range(5):
        town.happened(town.item(after=HOUR * number, scale="csat5", value=1), "triaged", after=HOUR * 400)
    FeedbackItem.objects.filter(rating_value=5).update(rating_value=2)
    recount()

    assert told(Report.objects.get()) == before
    assert reports.holds(report)
    assert ("items-received", "", "", 12.0, 12, 12) in before
    assert ("items-received", "team", "quality", 8.0, 8, 8) in before


def test_a_report_is_the_same_report_in_whatever_language_it_is_frozen(town: Town) -> None:
    asked = question()
    with translation.override("de"):
        german = reports.freeze(asked, title="First week", by=asked.actor, at=NOW)
    english = reports.freeze(asked, title="First week", by=asked.actor, at=NOW)

    assert (german.code, german.sha256) == (english.code, english.sha256)
    assert reports.holds(german)


def test_counting_again_as_of_then_gives_the_same_digits(town: Town) -> None:
    report = frozen()
    ticket = town.item(after=HOUR)
    FeedbackItem.objects.filter(pk=ticket.item_id).update(received_at=NOW + HOUR, submitted_at=NOW + HOUR)
    town.happened(FeedbackItem.objects.earliest("received_at").tickets.get(), "resolved", after=timedelta(days=30))
    recount()

    again = reports.repeated(report, by=question().actor, at=NOW + timedelta(days=40))

    assert (again.holds, again.differing) == (True, 0)
    assert again.compared == report.rows.count()


def test_the_same_question_at_the_same_moment_is_the_same_report(town: Town) -> None:
    assert frozen().code == frozen().code
    assert frozen(team="quality").code != frozen().code


def test_the_database_refuses_to_change_a_report(town: Town) -> None:
    report = frozen()

    for rows in (Report.objects.all(), ReportRow.objects.all()):
        with pytest.raises(IntegrityError, match="stays as it was"), transaction.atomic():
            rows.update(**({"title": "Other"} if rows.model is Report else {"value": 1}))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE kpis_reportrow DISABLE TRIGGER reportrow_stays")
        cursor.execute("UPDATE kpis_reportrow SET value = 99 WHERE kpi = 'csat' AND split = ''")
        cursor.execute("ALTER TABLE kpis_reportrow ENABLE TRIGGER reportrow_stays")
    assert not reports.holds(report)


def test_nothing_is_frozen_while_days_are_counted_again(town: Town) -> None:
    ChangedDay.objects.create(day=date(2026, 3, 4))

    with pytest.raises(reports.StillCounting):
        frozen()


def test_the_proof_finds_what_differs_and_repairs_it(town: Town) -> None:
    assert proving.prove(at=NOW).differing == 0
    wrong = Measurement.objects.get(kpi="items-received", day=date(2026, 3, 3), team=None, channel=None, stage=None)
    wrong.parts = {"items": 99}
    wrong.save()

    found = proving.prove(at=NOW)

    assert found.differing == 1
    assert found.examples[0]["kpi"] == "items-received"
    assert proving.in_words()[0] is False
    proving.repair(found.days, at=NOW)
    assert proving.prove(at=NOW).differing == 0
    assert Proof.objects.count() == 3


def test_days_that_wait_to_be_counted_are_no_difference(town: Town) -> None:
    town.item(after=HOUR * 30)
    assert proving.prove(at=NOW).differing > 0
    ChangedDay.objects.create(day=date(2026, 3, 3))

    assert proving.prove(at=NOW).differing == 0


def test_the_pages_freeze_show_and_hand_out_a_report(town: Town, signed_in: Callable[..., Client]) -> None:
    browser = signed_in(Role.MANAGER)
    empty = browser.post("/kpis/reports/", {"title": " ", "from": "2026-03-02", "to": "2026-03-08"})
    done = browser.post("/kpis/reports/", {"title": "<b>Mine", "from": "2026-03-02", "to": "2026-03-08"})
    report = Report.objects.get()

    page = browser.get(done["Location"]).content.decode()
    lines = list(csv.DictReader(io.StringIO(browser.get(f"{done['Location']}csv/").getvalue().decode())))

    assert empty.status_code == 422
    assert report.sha256 in page
    assert "&lt;b&gt;Mine" in page
    assert f"<span>{report.code}</span><span>As of " in page[page.index('class="on-paper"') :]
    assert len(lines) == report.rows.count()
    assert lines[0]["sha256"] == report.sha256
    assert signed_in(Role.LEAD, town.teams["quality"]).get(done["Location"]).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_an_export_has_the_items_of_its_number_and_no_formula(signed_in: Callable[..., Client]) -> None:
    town = Town()
    fill(town)
    FeedbackItem.objects.filter(rating_value=5).update(text='=HYPERLINK("x"),"\nsecond line')
    recount()
    asked = "from=2026-03-02&to=2026-03-08&side=numerator"

    def exported(browser: Client, more: str = "") -> list[dict[str, str]]:
        body = browser.get(f"/kpis/csat/items/export/?{asked}{more}").getvalue().decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(body, newline="")))

    rows = exported(signed_in(Role.MANAGER))
    mine = exported(signed_in(Role.LEAD, town.teams["logistics"]))

    number = recording.read(definitions.get("csat"), question().period, at=NOW)
    assert len(rows) == number.figure.numerator == 4
    assert {row["rating"] for row in rows} == {"4.00", "5.00"}
    assert all(row["text"].startswith("'=HYPERLINK") for row in rows if row["rating"] == "5.00")
    assert {row["team"] for row in mine} <= {"logistics"}
    assert len(mine) < len(rows)
