"""An import through workers: paused, cancelled, killed and gone on with, and taken back while nobody has decided."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now

from feedback_portal.accounts.models import Role
from intake import chunks, import_reports, importing, normalizing
from intake.importing import NotNow, State
from intake.models import Arrival, Channel, FeedbackItem, Import, Submission
from kpis import recording
from kpis.models import Measurement
from tests.makers import actor, make_person, make_team
from triage import decisions, pipeline
from triage.models import Analysis, Event, Notification, Tagging, Ticket

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
ROWS = 25


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    settings.STATE_DIR = tmp_path / "state"
    monkeypatch.setattr(chunks, "CHUNK", 10)


@pytest.fixture
def channel(db: None) -> Channel:
    return Channel.objects.create(slug="answers", name="Answers", kind="csv_file")


def table(rows: int = ROWS) -> io.BytesIO:
    """Every fifth row cannot be read, and every seventh says nothing."""
    lines = ["id,text,rating"]
    for number in range(rows):
        text = "" if number % 7 == 3 or number % 5 == 4 else f"The lid of box {number} cracked"
        lines.append(f"{number},{text},{'99' if number % 5 == 4 else ''}")
    return io.BytesIO("\n".join(lines).encode())


def begun(channel: Channel, file: io.BytesIO | None = None) -> Import:
    run = importing.upload(channel, file or table(), name="answers.csv")
    importing.begin(run)
    return run


def told(run: Import) -> tuple[Any, ...]:
    run = Import.objects.get(pk=run.pk)
    counts = (run.read, run.created, run.updated, run.duplicate, run.skipped, run.failed)
    return run.state, counts, "".join(import_reports.lines(run))


def work_off() -> None:
    importing.import_pending(at=AT)
    normalizing.normalize_pending(at=AT)
    pipeline.understand_pending(at=AT)
    # Each worker leaves an import that is not finished to the next.
    if Import.objects.due().exists() or Arrival.objects.due().exists():
        work_off()


def expire() -> None:
    """As if the worker's lease had run out."""
    Import.objects.waiting().update(next_attempt_at=Now())


class Killed(BaseException):
    """What a process meets that is killed."""


def test_workers_store_every_row_once_and_account_for_each(channel: Channel) -> None:
    run = begun(channel)
    work_off()
    state, counts, report = told(run)
    assert state == State.DONE
    assert counts == (25, 17, 0, 0, 3, 5)
    assert FeedbackItem.objects.count() == Ticket.objects.count() == 17
    assert len(list(csv.reader(io.StringIO(report)))) == 1 + 3 + 5


def test_nothing_happens_before_it_is_begun(channel: Channel) -> None:
    run = importing.upload(channel, table(), name="answers.csv")
    work_off()
    assert told(run)[0] == State.UPLOADED
    assert not Submission.objects.exists()


@pytest.mark.parametrize("at_row", [0, 5, 10, 15, 20])
def test_killed_and_gone_on_with_it_ends_the_same(
    channel: Channel, monkeypatch: pytest.MonkeyPatch, at_row: int
) -> None:
    undisturbed = begun(Channel.objects.create(slug="calm", name="Calm", kind="csv_file"))
    work_off()
    run = begun(channel)
    take_in = normalizing.take_in
    kills = [at_row, at_row]  # twice in the same chunk

    def dies(found: Any, *, at: datetime) -> None:
        take_in(found, at=at)
        if kills and Import.objects.get(pk=run.pk).read >= kills[0] - kills[0] % 10:
            kills.pop()
            raise Killed

    monkeypatch.setattr(normalizing, "take_in", dies)
    while kills:
        with pytest.raises(Killed):
            importing.import_pending(at=AT)
        expire()
    work_off()
    assert told(run) == told(undisturbed)
    assert Submission.objects.filter(channel=channel).count() == Submission.objects.filter(channel__slug="calm").count()


def test_paused_it_rests_and_resumed_it_ends_the_same(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begun(channel)
    store = importing._store

    def pauses(run: Import, chunk: Any, *, at: datetime) -> None:
        store(run, chunk, at=at)
        if run.read == 10:
            importing.pause(Import.objects.get(pk=run.pk))

    monkeypatch.setattr(importing, "_store", pauses)
    work_off()
    assert told(run)[:2][0] == State.PAUSED
    assert told(run)[1][0] == 10
    expire()
    work_off()
    assert told(run)[1][0] == 10
    importing.resume(Import.objects.get(pk=run.pk))
    work_off()
    assert told(run)[0] == State.DONE
    assert told(run)[1] == (25, 17, 0, 0, 3, 5)


def test_cancelled_it_keeps_what_is_in_and_takes_no_more(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begun(channel)
    store = importing._store

    def cancels(run: Import, chunk: Any, *, at: datetime) -> None:
        if run.read == 10:
            importing.cancel(Import.objects.get(pk=run.pk))
        store(run, chunk, at=at)

    monkeypatch.setattr(importing, "_store", cancels)
    work_off()
    assert told(run)[0] == State.CANCELLED
    assert told(run)[1][0] == 10
    with pytest.raises(NotNow, match="by now, to: Cancelled"):
        importing.resume(Import.objects.get(pk=run.pk))


def test_a_file_that_cannot_be_read_is_refused_in_words(channel: Channel) -> None:
    run = begun(channel, io.BytesIO(b"colour\nred\n"))
    work_off()
    run.refresh_from_db()
    assert run.state == State.REFUSED
    assert run.refused_reason.startswith("None of the columns")
    assert run.completed_at is not None


def test_columns_told_for_a_file_join_what_the_channel_knows(channel: Channel) -> None:
    channel.settings = {"columns": {"Said": "text"}, "scale": "nps"}
    channel.save()
    run = importing.upload(channel, io.BytesIO(b"Wort\nleckt\n"), name="a.csv", columns={"columns": {"Wort": "text"}})
    importing.begin(run)
    work_off()
    channel.refresh_from_db()
    assert channel.settings == {"columns": {"Said": "text", "Wort": "text"}, "scale": "nps"}
    assert FeedbackItem.objects.get().text == "leckt"


class TestTakenBack:
    def test_undecided_items_leave_no_trace(self, channel: Channel) -> None:
        begun(channel)
        work_off()
        before = Import.objects.get()
        importing.undo(before)
        work_off()
        assert told(before)[0] == State.UNDONE
        for model in (Submission, FeedbackItem, Ticket, Event, Analysis, Tagging, Notification, Arrival):
            assert not model.objects.exists(), model

    def test_decided_items_stay(self, channel: Channel) -> None:
        team = make_team()
        begun(channel)
        work_off()
        ticket = Ticket.objects.earliest("pk")
        lena = make_person("Lena", team, role=Role.ADMIN)
        decisions.decide(
            ticket.reference, "note", by=actor(lena), at=AT, version=ticket.version, text="I looked at it."
        )
        importing.undo(Import.objects.get())
        work_off()
        assert [each.pk for each in FeedbackItem.objects.all()] == [ticket.item_id]
        assert Ticket.objects.get().pk == ticket.pk

    def test_the_same_file_can_come_again(self, channel: Channel) -> None:
        begun(channel)
        work_off()
        importing.undo(Import.objects.get())
        work_off()
        again = begun(channel)
        work_off()
        assert told(again)[1] == (25, 17, 0, 0, 3, 5)

    def test_what_was_not_understood_yet_leaves_too(self, channel: Channel) -> None:
        begun(channel)
        importing.import_pending(at=AT)
        importing.undo(Import.objects.get())
        work_off()
        assert not Submission.objects.exists()
        assert not Ticket.objects.exists()

    def test_kpis_are_counted_again_without_them(self, channel: Channel) -> None:
        begun(channel)
        work_off()
        recording.recount_changed_days(at=AT)
        assert Measurement.objects.filter(kpi="items-received").exists()
        importing.undo(Import.objects.get())
        work_off()
        recording.recount_changed_days(at=AT)
        assert not [each.parts for each in Measurement.objects.all() if any(each.parts.values())]
