"""Files are taken in row by row: counted exactly, told by place, the same again without effect, in bounded memory."""

import csv
import gc
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from intake import chunks, encodings, importing, normalizing, occurrences, receiving
from intake.chunks import CHUNK
from intake.connectors import connectors, tables
from intake.connectors.base import Draft, FileConnector, RawItem, Row
from intake.importing import FileRefused, Report, import_file
from intake.models import Channel, FeedbackItem, Submission
from intake.receiving import ChannelClosed

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)

MIXED = """id,text,rating,date
1,It leaks,2,2026-03-01
2,,,
3,"Too many, cells",2,2026-03-01,here
4,,9,
1,It leaks again,2,2026-03-01
5,"=HYPERLINK(""http://example.com"")",many,
6,Fine,5,yesterday
"""


@pytest.fixture
def channel(db: None) -> Channel:
    return Channel.objects.create(slug="answers", name="Answers", kind="csv_file")


@pytest.fixture
def lay(tmp_path: Path, settings: Any) -> Callable[[str], Path]:
    settings.STATE_DIR = tmp_path / "state"

    def lay(text: str, name: str = "answers.csv") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8", newline="")
        return path

    return lay


def counted(report: Report) -> dict[str, int]:
    names = ("read", "created", "duplicate", "skipped", "failed")
    assert report.created + report.duplicate + report.skipped + report.failed == report.read
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def errors_of(report: Report) -> list[list[str]]:
    assert report.errors_file is not None
    with open(report.errors_file, encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_every_row_is_counted_once_and_told_by_its_place(channel: Channel, lay: Callable[[str], Path]) -> None:
    report = import_file(channel, lay(MIXED), at=AT)

    assert counted(report) == {"read": 7, "created": 3, "duplicate": 1, "skipped": 1, "failed": 2}
    header, *rows = errors_of(report)
    assert header[:4] == ["row", "column", "reason", "id"]
    assert [(row[0], row[1], row[3]) for row in rows] == [
        ("3", "", "2"),
        ("4", "", "3"),
        ("5", "rating", "4"),
        ("7", "rating", "5"),
        ("8", "date", "6"),
    ]
    assert all(row[2].endswith(".") for row in rows)


def test_what_was_imported_becomes_items(channel: Channel, lay: Callable[[str], Path]) -> None:
    import_file(channel, lay(MIXED), at=AT)
    normalizing.normalize_pending(at=AT)

    assert set(FeedbackItem.objects.values_list("text", flat=True)) == {
        "It leaks",
        '=HYPERLINK("http://example.com")',
        "Fine",
    }
    assert not Submission.objects.parked().exists()


def test_the_same_file_again_creates_nothing(channel: Channel, lay: Callable[[str], Path]) -> None:
    file = lay("text,stars\nIt leaks,2\nIt leaks,2\nIt leaks,2\nFine,5\n")

    first, again = import_file(channel, file, at=AT), import_file(channel, file, at=AT)

    assert counted(first) == {"read": 4, "created": 4}
    assert counted(again) == {"read": 4, "duplicate": 4}
    assert Submission.objects.count() == 4


def test_a_mended_row_is_all_that_a_second_import_adds(channel: Channel, lay: Callable[[str], Path]) -> None:
    import_file(channel, lay("text,stars\nIt leaks,2\n,many\n"), at=AT)

    report = import_file(channel, lay("text,stars\nIt leaks,2\n,3\n"), at=AT)

    assert counted(report) == {"read": 2, "created": 1, "duplicate": 1}


@pytest.mark.parametrize("file", [MIXED, "text\nIt leaks\nIt leaks\n", "id,text\n1,a\n1,b\n" + "2,c\n" * CHUNK])
def test_a_dry_run_tells_the_same_and_writes_nothing(
    channel: Channel, lay: Callable[[str], Path], settings: Any, file: str
) -> None:
    path = lay(file)
    told: list[chunks.Notice] = []

    rehearsed = import_file(channel, path, at=AT, dry_run=True, notice=told.append)

    assert not Submission.objects.exists()
    assert not Path(settings.STATE_DIR).exists()
    assert rehearsed.errors_file is None
    done = import_file(channel, path, at=AT)
    assert counted(rehearsed) == counted(done)
    assert len(told) == (len(errors_of(done)) - 1 if done.errors_file else 0)
    assert counted(import_file(channel, path, at=AT, dry_run=True)).get("created") is None


def test_nothing_to_tell_leaves_no_errors_file(channel: Channel, lay: Callable[[str], Path], settings: Any) -> None:
    assert import_file(channel, lay("text\nIt leaks\n"), at=AT).errors_file is None
    assert not list(Path(settings.STATE_DIR).rglob("*.csv"))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", " =", "＝", "＋", "－", "＠"])
def test_the_errors_file_runs_no_formula(channel: Channel, lay: Callable[[str], Path], start: str) -> None:
    """Opened in a spreadsheet, a cell or a heading that a customer wrote stays text."""
    file = lay(f'text,rating,"{start}heading"\n,9,"{start}cmd"\n')

    report = import_file(channel, file, at=AT)

    cells = [cell for row in errors_of(report) for cell in row]
    assert f"'{start}cmd" in cells
    assert not [
        cell for cell in cells if cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))
    ]


def test_only_the_portal_reads_the_errors_file(channel: Channel, lay: Callable[[str], Path]) -> None:
    report = import_file(channel, lay("text,rating\n,9\n"), at=AT)

    assert report.errors_file is not None
    assert Path(report.errors_file).stat().st_mode & 0o077 == 0
    assert Path(report.errors_file).parent.name == "imports"


def test_another_row_under_a_known_id_is_kept_beside_the_first(channel: Channel, lay: Callable[[str], Path]) -> None:
    import_file(channel, lay("id,text\n1,It leaks\n"), at=AT)
    report = import_file(channel, lay("id,text\n1,It burns\n"), at=AT)

    assert counted(report) == {"read": 1, "duplicate": 1}
    kept = Submission.objects.get()
    assert b"leaks" in bytes(kept.payload)
    assert b"burns" in bytes(kept.conflicting_payload)


def test_a_file_that_stops_being_readable_keeps_what_came_before(
    channel: Channel, lay: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken import is repeated: what it stored is then known."""
    file = lay("text\n" + "".join(f"Text {number}\n" for number in range(CHUNK + 10)))
    real = connectors.get("csv_file")

    def breaks(self: Any, opened: Any, *, settings: Any) -> Any:
        for row in original(self, opened, settings=settings):
            if row.number > CHUNK + 5:
                raise OSError(5, "Input/output error")
            yield row

    original = type(real).rows
    monkeypatch.setattr(type(real), "rows", breaks)
    with pytest.raises(FileRefused, match="Input/output error"):
        import_file(channel, file, at=AT)
    assert Submission.objects.count() == CHUNK

    monkeypatch.setattr(type(real), "rows", original)
    assert counted(import_file(channel, file, at=AT)) == {"read": CHUNK + 10, "created": 10, "duplicate": CHUNK}


def test_statements_grow_with_chunks_not_with_rows(channel: Channel, lay: Callable[[str], Path]) -> None:
    def statements(rows: int) -> int:
        file = lay("text\n" + "".join(f"Text {number} of {rows}\n" for number in range(rows)))
        with CaptureQueriesContext(connection) as captured:
            import_file(channel, file, at=AT)
        return len(captured)

    one, two, three = statements(CHUNK - 1), statements(2 * CHUNK - 1), statements(3 * CHUNK - 1)
    assert three - two == two - one
    assert one == statements(3)


def test_progress_is_told_by_chunks_and_at_the_end(channel: Channel, lay: Callable[[str], Path]) -> None:
    told: list[int] = []
    import_file(
        channel,
        lay("text\n" + "".join(f"Text {number}\n" for number in range(CHUNK + 1))),
        at=AT,
        dry_run=True,
        progress=told.append,
    )

    assert told == [CHUNK, CHUNK + 1]


@pytest.mark.parametrize(
    ("header", "dry_run"), [("id,text", True), ("colour,text", False)], ids=["known by id, rehearsed", "known by hash"]
)
def test_memory_does_not_grow_with_the_file(
    channel: Channel, lay: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, header: str, dry_run: bool
) -> None:
    """Ten times the rows take the same. Buffers are made small, so that a short file fills them. The database stands aside:
    what its driver keeps for reuse is bounded, but grows for the first thousands of rows."""
    monkeypatch.setattr(receiving, "arrived_before", lambda channel, ids: set())
    monkeypatch.setattr(importing, "_store", lambda run, chunk, at: None)
    for module, name, size in [
        (chunks, "CHUNK", 10),
        (tables, "_SAMPLE", 2048),
        (occurrences, "_AT_ONCE", 32),
        (encodings, "_SAMPLE", 2048),
        (encodings, "_BLOCK", 2048),
    ]:
        monkeypatch.setattr(module, name, size)

    def peak(rows: int) -> int:
        path = lay(f"{header}\n" + "".join(f"{rows}-{number},{'word ' * 10}{number}\n" for number in range(rows)))
        gc.collect()
        gc.freeze()
        tracemalloc.start()
        try:
            import_file(channel, path, at=AT, dry_run=dry_run, progress=lambda read: gc.collect() and None)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            gc.unfreeze()

    peak(150)  # what is loaded once is loaded now
    assert peak(1500) < 1.2 * peak(150)


class Lines(FileConnector):
    """One text a line, as a developer would add it."""

    slug = "lines"
    name = "Lines"
    extensions = (".lines",)

    def rows(self, file: Any, *, settings: Any) -> Any:
        for number, line in enumerate(file, start=1):
            yield Row(number, RawItem(str(number), line, "text/plain"))

    def parse(self, raw: RawItem, *, settings: Any) -> Draft:
        if b"boom" in raw.payload:
            raise ZeroDivisionError
        return Draft(text=raw.payload.decode())


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connectors._plugins, "lines", Lines())


@pytest.mark.django_db
@pytest.mark.usefixtures("lines")
def test_another_kind_of_file_is_one_connector(lay: Callable[..., Path]) -> None:
    file = lay("one\nboom\n\nfour\n", "notes.lines")

    found = importing.connector_for(file)
    assert found is not None
    made = importing.channel_for("notes", kind=found.slug, path=file)
    made.save()
    report = import_file(made, file, at=AT)

    assert counted(report) == {"read": 4, "created": 2, "skipped": 1, "failed": 1}
    assert errors_of(report)[1] == ["2", "", "The connector failed on it (ZeroDivisionError).", "boom\n"]


class TestRefusals:
    def test_a_closed_channel(self, channel: Channel, lay: Callable[[str], Path]) -> None:
        channel.is_enabled = False
        for dry_run in (True, False):
            with pytest.raises(ChannelClosed, match="switched off"):
                import_file(channel, lay("text\nIt leaks\n"), at=AT, dry_run=dry_run)

    def test_a_channel_that_takes_no_files(self, db: None, lay: Callable[[str], Path]) -> None:
        channel = Channel.objects.create(slug="support-api", name="Support", kind="rest_api")
        with pytest.raises(FileRefused, match="takes no files"):
            import_file(channel, lay("text\nIt leaks\n"), at=AT)

    def test_a_file_that_is_not_there(self, channel: Channel, tmp_path: Path) -> None:
        for path in (tmp_path / "none.csv", tmp_path):
            with pytest.raises(FileRefused, match="cannot be read"):
                import_file(channel, path, at=AT)

    def test_a_file_of_which_nothing_can_be_read_stores_nothing(
        self, channel: Channel, lay: Callable[[str], Path]
    ) -> None:
        with pytest.raises(FileRefused, match="None of the columns"):
            import_file(channel, lay("colour\nred\n"), at=AT)
        assert not Submission.objects.exists()

    @pytest.mark.parametrize(
        ("slug", "kind", "says"),
        [
            ("new", "", "There is no channel .*Add --connector csv_file"),
            ("new", "rest_api", "takes no files"),
            ("new", "moon", "takes no files"),
            ("not a slug", "csv_file", "cannot be the slug"),
            ("answers", "rest_api", "of kind csv_file, not rest_api"),
        ],
    )
    def test_a_channel_that_does_not_fit(self, channel: Channel, slug: str, kind: str, says: str) -> None:
        with pytest.raises(FileRefused, match=says):
            importing.channel_for(slug, kind=kind, path=Path("answers.csv"))
