"""Tables and plain objects on their way in: bad rows told exactly, unquoted text, versions, what a file would be read as."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from intake.connectors.base import BadRow, Ignored, RawItem, Row, Unreadable
from intake.connectors.columns import FIELDS, KNOWN_COLUMNS
from intake.connectors.csv_file import CsvFile
from intake.connectors.json_file import JsonFile
from intake.connectors.previews import SHOWN, Preview, preview

table, objects = CsvFile(), JsonFile()
SAMPLES = Path(__file__).parents[2].parent / "shared" / "samples"


def rows(content: str | bytes, **settings: Any) -> list[Row | BadRow]:
    written = content.encode() if isinstance(content, str) else content
    return list(table.rows(io.BytesIO(written), settings=settings))


def seen(content: str | bytes, **settings: Any) -> Preview:
    return preview(io.BytesIO(content.encode() if isinstance(content, str) else content), settings)


# Each a row as it stands in the file, and what is to be said of it: (column, reason).
BAD_ROWS = [
    ('{id},"open', ("text", "A quote opens in line {line} and is not closed.")),
    ('{id},"a "quote" inside",1,2026-01-02,a@example.com', ("", 'A quote stands inside a quoted field. Write it twice, as in "the ""best"" one", or leave it out.')),
    ("{id},a\x00b,1,2026-01-02,a@example.com", ("text", "It holds a NUL character, which no text has.")),
    ("{id}", ("", "It has 1 fields, and the header names 5. Quote texts that hold the separator.")),
    ("{id},It leaks", ("", "It has 2 fields, and the header names 5. Quote texts that hold the separator.")),
    ("{id},It leaks,1,2026-01-02", ("", "It has 4 fields, and the header names 5. Quote texts that hold the separator.")),
    ("{id},It leaks, badly,1,2026-01-02,a@example.com", ("", "It has 6 fields, and the header names 5. Quote texts that hold the separator.")),
    ("{id},a,b,c,d,e,f,g", ("", "It has 8 fields, and the header names 5. Quote texts that hold the separator.")),
    ("id,text,stars,date,email", ("", "It repeats the header.")),
    ("{id}," + "x" * 131_073 + ",1,2026-01-02,a@example.com", ("text", "A field is longer than 131,072 characters.")),
    ("{id},,9,2026-01-02,a@example.com", ("stars", "9 is not on the scale stars5, which goes from 1 to 5.")),
    ("{id},,-1,2026-01-02,a@example.com", ("stars", "-1 is not on the scale stars5, which goes from 1 to 5.")),
    ("{id},,many,2026-01-02,a@example.com", ("stars", '"many" is not a number.')),
    ("{id},,5 apples,2026-01-02,a@example.com", ("stars", '"5 apples" is not a number.')),
    ("{id},,1e5,2026-01-02,a@example.com", ("stars", '"1e5" is not a number.')),
    ("{id},,☆☆☆,2026-01-02,a@example.com", ("stars", "0 is not on the scale stars5, which goes from 1 to 5.")),
    ("{id}, ,0,2026-01-02,a@example.com", ("stars", "0 is not on the scale stars5, which goes from 1 to 5.")),
    ("{id},,7/7,2026-01-02,a@example.com", None),
    ("{id},,,2026-01-02,a@example.com", ("", "nothing")),
    ("{id},\t,,,", ("", "nothing")),
]  # fmt: skip


def test_of_twenty_kinds_of_bad_rows_each_is_told_and_no_other() -> None:
    """2,000 rows, one in a hundred bad."""
    lines, expected, line = ["id,text,stars,date,email"], {}, 1
    for number in range(2000):
        line += 1
        kind = number // 100 if number % 100 == 50 else None
        if kind is None:
            lines.append(f'{number},"The lid broke, again ({number})",{number % 5 + 1},2026-01-02,a@example.com')
            continue
        written, said = BAD_ROWS[kind]
        lines.append(written.replace("{id}", str(number)))
        if said is not None:
            expected[line] = (said[0], said[1].replace("{line}", str(line)))
    told: dict[int, tuple[str, str]] = {}
    good = 0
    for row in rows("\n".join(lines) + "\n"):
        if isinstance(row, BadRow):
            told[row.number] = (row.column, row.reason)
            continue
        try:
            draft = table.parse(row.raw, settings={})
        except Unreadable as reason:
            told[row.number] = (reason.place, str(reason))
            continue
        if draft.text.strip() or draft.rating:
            good += 1
        else:
            told[row.number] = ("", "nothing")

    assert told == expected
    assert good == 2000 - len(expected)


def test_a_source_s_own_time_of_a_row_is_its_version_where_somebody_says_so() -> None:
    content = "id,text,changed\n1,It leaks,2026-03-01 10:00\n2,It burns,soon\n3,Fine,\n"

    def versions(**settings: Any) -> list[datetime | None]:
        return [row.raw.updated_at for row in rows(content, **settings) if isinstance(row, Row)]

    assert versions() == [None, None, None]
    assert versions(columns={"changed": "updated_at"}) == [datetime(2026, 3, 1, 10, tzinfo=UTC), None, None]


@pytest.mark.parametrize(
    ("dates", "read"),
    [
        (["3/4/2026", "5/31/2026"], [(3, 4), (5, 31)]),
        (["3/4/2026", "31/5/2026"], [(4, 3), (5, 31)]),
        (["3/4/2026", "31/5/2026", "5/31/2026"], [None, (5, 31), (5, 31)]),
        (["3/4/2026", "4/5/2026"], [None, None]),
    ],
)
def test_dates_that_can_be_read_in_one_way_only_tell_how_the_others_are_meant(
    dates: list[str], read: list[Any]
) -> None:
    found = rows("id,text,date\n" + "".join(f"{number},It leaks,{date}\n" for number, date in enumerate(dates)))
    moments = [table.parse(row.raw, settings={}).submitted_at for row in found if isinstance(row, Row)]

    assert [moment and (moment.month, moment.day) for moment in moments] == read


def test_a_report_that_comes_back_corrected_is_the_rows_it_tells_of() -> None:
    """Without what was said of them, and with the cells that were guarded as they stood."""
    found = rows(
        "row,column,reason,id,text\n3,text,It leaks.,7,'=1+1\n4,,Unclear.,8,'tis fine\n9,,Unclear.,9,''=typed so\n"
    )

    assert [dict(row.cells) for row in found if isinstance(row, Row)] == [
        {"id": "7", "text": "=1+1"},
        {"id": "8", "text": "'tis fine"},
        {"id": "9", "text": "'=typed so"},
    ]


def test_a_row_is_read_again_from_its_bytes_alone() -> None:
    first, _ = rows("id,text,date\n1,It leaks,3/4/2026\n2,Fine,31/5/2026\n")

    assert isinstance(first, Row)
    kept = RawItem(first.raw.external_id, first.raw.payload, first.raw.content_type)
    assert table.parse(kept, settings={}).submitted_at == datetime(2026, 4, 3, tzinfo=UTC)


class TestObjects:
    def found(self, content: str, **settings: Any) -> list[Row | BadRow]:
        return list(objects.rows(io.BytesIO(content.encode()), settings=settings))

    @pytest.mark.parametrize(
        "content",
        [
            '{"id": 7, "comment": "It leaks", "by": {"email": "ana@example.com"}}\n{"id": 8, "comment": "Fine"}\n',
            '[{"id": 7, "comment": "It leaks", "by": {"email": "ana@example.com"}}, {"id": 8, "comment": "Fine"}]',
            '{"total": 2, "rows": [{"id": 7, "comment": "It leaks", "by": {"email": "ana@example.com"}}, {"id": 8, "comment": "Fine"}]}',
        ],
        ids=["lines", "list", "list inside"],
    )
    def test_objects_in_lines_lists_and_lists_inside(self, content: str) -> None:
        found = self.found(content, columns={"by.email": "email"})

        drafts = [
            objects.parse(row.raw, settings={"columns": {"by.email": "email"}}) for row in found if isinstance(row, Row)
        ]
        assert [row.raw.external_id for row in found if isinstance(row, Row)] == ["7", "8"]
        assert [(draft.text, draft.sender.email) for draft in drafts] == [("It leaks", "ana@example.com"), ("Fine", "")]

    def test_two_who_wrote_the_same_are_two_and_the_same_file_is_the_same(self) -> None:
        content = '{"text": "It leaks"}\n{"text": "It leaks"}\n'
        first, again = ([row.raw.external_id for row in self.found(content) if isinstance(row, Row)] for _ in range(2))

        assert len(set(first)) == 2
        assert first == again

    def test_a_broken_line_costs_itself(self) -> None:
        found = self.found('{"text": "a"}\n{"text": \n[1]\n{"text": "b"}\n')

        assert [row.number for row in found if isinstance(row, BadRow)] == [2, 3]
        assert all(row.reason.endswith(".") for row in found if isinstance(row, BadRow))
        assert [row.number for row in found if isinstance(row, Row)] == [1, 4]

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            ('{"colour": "red"}\n{"colour": "blue"}\n', "None of the members is known .* colour"),
            ("[1, 2]", "neither an object nor a list"),
            ("[]", "neither an object nor a list"),
            ("", "empty"),
            ("[" * 100_000, "deep|not JSON"),
            ('{"record_id": "1", "company_name": "Ortiz", "company_domain_name": "ortiz.example"}', "holds companies"),
        ],
    )
    def test_what_holds_no_feedback_is_refused_in_words(self, content: str, says: str) -> None:
        with pytest.raises(Unreadable, match=says) as refused:
            self.found(content)
        assert str(refused.value).endswith(".")


class TestPreviews:
    def test_what_each_column_is_taken_to_hold_is_shown_with_the_first_rows(self) -> None:
        content = "id,Text,Punkte,Ort\n" + "".join(f"{number},It leaks,3,Kiel\n" for number in range(50))
        shown = seen(content, columns={"Punkte": "rating"})

        assert shown.columns == ("id", "Text", "Punkte", "Ort")
        assert shown.mapping == {"id": "external_id", "Text": "text", "Punkte": "rating", "Ort": "context"}
        assert len(shown.rows) == SHOWN
        assert shown.rows[0] == ("0", "It leaks", "3", "Kiel")
        assert shown.preset == "table"
        assert shown.problems == ()

    def test_a_table_nobody_knows_yet_still_shows_its_columns(self) -> None:
        shown = seen("colour,size\nred,3\n")

        assert shown.columns == ("colour", "size")
        assert shown.rows == (("red", "3"),)
        assert "None of the columns" in shown.problems[0]

    def test_objects_are_shown_as_a_table(self) -> None:
        shown = seen('{"comment": "It leaks", "by": {"mail": "a@example.com"}}\n{"comment": "Fine", "shop": "Kiel"}\n')

        assert shown.columns == ("by.mail", "comment", "shop")
        assert shown.rows == (("a@example.com", "It leaks", ""), ("", "Fine", "Kiel"))
        assert shown.mapping["comment"] == "text"

    @pytest.mark.parametrize(
        ("content", "settings", "says"),
        [
            ("", {}, "The file is empty."),
            (b"PK\x03\x04nothing", {}, "no workbook"),
            ("text\nIt leaks\n", {"columns": {"text": "moon"}}, 'no field "moon"'),
            ("text\nIt leaks\n", {"preset": "moon"}, 'no kind of export "moon"'),
            ("text,stars\nIt leaks,9\n", {}, "Row 2, stars: 9 is not on the scale"),
            ("text,stars\nIt leaks\n", {}, "Row 2: It has 1 fields"),
            ("text,date\nIt leaks,3/4/2026\n", {}, "different day in different countries"),
            ('{"text": ', {}, "not JSON"),
        ],
    )
    def test_what_stands_in_the_way_is_said(self, content: str | bytes, settings: dict[str, Any], says: str) -> None:
        shown = seen(content, **settings)

        assert any(says in problem for problem in shown.problems)
        assert all(problem.endswith(".") for problem in shown.problems)


def test_every_field_has_words_for_people() -> None:
    assert KNOWN_COLUMNS.keys() <= FIELDS.keys()
    assert all(words[0].isupper() for words in FIELDS.values())


@pytest.mark.parametrize(
    "path",
    sorted(each for each in SAMPLES.rglob("*") if each.suffix in (".csv", ".tsv", ".xlsx"))
    or [pytest.param(Path(), marks=pytest.mark.skip("There are no sample exports beside the project."))],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_nothing_in_an_export_is_unaccounted_for(path: Path) -> None:
    """Every row is an item, passed over or told; every file that is refused says why."""
    reason = "It was read."
    counts = dict.fromkeys(("created", "skipped", "failed"), 0)
    read = 0
    try:
        with path.open("rb") as file:
            for row in table.rows(file, settings={}):
                read += 1
                if isinstance(row, BadRow):
                    counts["failed"] += 1
                    assert row.reason.endswith(".")
                    continue
                assert json.loads(row.raw.payload) == dict(row.cells)
                try:
                    draft = table.parse(row.raw, settings={})
                    counts["created" if draft.text.strip() or draft.title or draft.rating else "skipped"] += 1
                except Ignored:
                    counts["skipped"] += 1
                except Unreadable:
                    counts["failed"] += 1
    except Unreadable as refused:
        reason = str(refused)
    assert reason.endswith("."), "a reason is a whole sentence"
    assert sum(counts.values()) == read
    assert bool(counts["created"] or counts["skipped"]) == (reason == "It was read.")


@pytest.mark.parametrize(
    ("content", "warns"),
    [
        ("stars,Wie war es\n2,Der Deckel brach\n", True),
        ("stars,comment\n2,The lid broke\n", False),
        ('{"stars": 2, "wie": "Der Deckel brach"}\n{"stars": 3, "wie": "Gut"}\n', True),
    ],
)
def test_words_that_would_lie_unseen_in_a_detail_are_warned_of(content: str, warns: bool) -> None:
    seen = preview(io.BytesIO(content.encode()), {})
    assert any(problem.startswith("No column is said to hold") for problem in seen.problems) is warns
