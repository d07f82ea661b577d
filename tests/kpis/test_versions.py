"""A definition is replaced by its next version: both stand side by side, and figures stay with the one they were counted by."""

from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Role
from kpis import recording, reports, versions
from kpis.definitions import definitions
from kpis.definitions.base import Kpi
from kpis.definitions.csat import Csat
from kpis.models import DefinitionVersion, Measurement
from kpis.questions import ask
from tests.kpis.conftest import recount, season
from tests.makers import actor, make_person

pytestmark = pytest.mark.django_db


WHY = "A 4 is polite, and half of those who gave it left within the year."


class Stricter(Csat):
    version = 2
    change_of_version = WHY
    definition = "Answers 5 among all answers on the five-point satisfaction scale, of items received in the period."
    earlier: ClassVar[tuple[Kpi, ...]] = (Csat(),)

    def hit(self, *, as_of: object) -> object:  # type: ignore[override]
        from django.db.models import Q

        return Q(rating_value=5)


def redefined(monkeypatch: pytest.MonkeyPatch) -> Kpi:
    stricter = Stricter()
    monkeypatch.setitem(definitions._plugins, "csat", stricter)
    return stricter


def test_what_counts_is_written_down_once_and_never_changed() -> None:
    assert {row.kpi for row in versions.since().values()} == {kpi.slug for kpi in definitions.all()}
    assert versions.note(at=timezone.now()) == 0
    lena = actor(make_person("Lena", role=Role.MANAGER))
    for kpi in definitions.all():
        [told] = versions.side_by_side(kpi, by=lena)
        assert not told.is_reworded, kpi.slug
        assert not told.is_rewritten, kpi.slug
    with pytest.raises(IntegrityError), transaction.atomic():
        DefinitionVersion.objects.update(definition="Whatever looks better.")


def test_both_versions_are_shown_and_figures_stay_with_theirs(
    monkeypatch: pytest.MonkeyPatch, signed_in: Callable[..., Client]
) -> None:
    season(20)
    lena, before = actor(make_person("Lena", role=Role.MANAGER)), timezone.now()
    frozen = reports.freeze(ask({}, actor=lena, at=before), title="Before", by=lena, at=before)
    digits = list(frozen.rows.filter(kpi="csat", split="").values_list("definition_version", "numerator"))

    stricter = redefined(monkeypatch)
    began = before - timedelta(days=14)
    assert versions.note(at=began) == 1
    recount(20)
    question = ask({}, actor=lena, at=timezone.now())
    now = recording.read(stricter, question.period, at=question.at).figure
    browser = signed_in(Role.MANAGER)
    page = browser.get("/kpis/definitions/csat/").content.decode()
    told = versions.side_by_side(stricter, by=lena)
    overlap = versions.overlap(stricter, question.period, at=question.at, slice=recording.EVERYTHING)

    assert [(each.row.version, each.is_current, each.reports) for each in told] == [(2, True, 0), (1, False, 1)]
    assert ("gone", "4 and") in told[0].pieces
    assert "<del>4 and</del>" in page
    assert WHY in page
    # The report keeps the digits of its own version; new measurements are of the new one.
    assert list(frozen.rows.filter(kpi="csat", split="").values_list("definition_version", "numerator")) == digits
    assert reports.holds(frozen)
    assert set(Measurement.objects.filter(kpi="csat").values_list("definition_version", flat=True)) == {2}
    assert now.numerator < digits[0][1]
    assert overlap is not None
    assert overlap.versions == [2, 1]
    assert len(overlap.weeks) == versions.OVERLAP_WEEKS
    assert any(new.figure.numerator < old.figure.numerator for _, (new, old) in overlap.weeks)
    assert all(new.figure.denominator == old.figure.denominator for _, (new, old) in overlap.weeks)
    assert versions.breaks(stricter, question.period) == [(began.astimezone(question.period.zone).date(), 2)]
    assert "Definition 2 begins" in browser.get("/kpis/csat/").content.decode()


def test_a_definition_changed_in_place_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = redefined(monkeypatch)
    monkeypatch.setattr(Stricter, "version", 1)
    monkeypatch.setattr(Stricter, "earlier", ())

    [told] = versions.side_by_side(changed, by=actor(make_person("Lena", role=Role.MANAGER)))

    assert told.is_reworded
    assert told.is_rewritten


def test_a_statement_written_anew_is_no_other_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    csat = definitions.get("csat")
    monkeypatch.setattr(csat, "select", lambda voices, side, *, as_of: voices.filter(pk__gt=0))

    [told] = versions.side_by_side(csat, by=actor(make_person("Lena", role=Role.MANAGER)))

    assert told.is_rewritten
    assert not told.is_reworded


def test_the_difference_of_two_texts_reads_as_both() -> None:
    before, now = "Answers 4 and 5 of all", "Answers 5 of all that came"
    pieces = versions.differences(before, now)

    assert " ".join(words for kind, words in pieces if kind != "new") == before
    assert " ".join(words for kind, words in pieces if kind != "gone") == now
