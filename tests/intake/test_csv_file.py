"""Tables as the world writes them: read for what they say, and where they cannot be, told by place in a whole sentence."""

import codecs
import csv
import io
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intake.connectors.base import BadRow, Draft, Rating, RawItem, Row, Unreadable
from intake.connectors.csv_file import MOST_COLUMNS, CsvFile
from intake.connectors.moments import Unclear, moment_of
from intake.delimited import LONGEST_FIELD, LONGEST_RECORD

csv_file = CsvFile()


def rows(content: str | bytes, **channel: Any) -> list[Row | BadRow]:
    written = content.encode() if isinstance(content, str) else content
    return list(csv_file.rows(io.BytesIO(written), settings=channel))


def drafts(content: str | bytes, **channel: Any) -> list[Draft]:
    return [csv_file.parse(row.raw, settings=channel) for row in rows(content, **channel) if isinstance(row, Row)]


def texts(content: str | bytes, **channel: Any) -> list[str]:
    return [draft.text for draft in drafts(content, **channel)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("text\nIt leaks\n", ["It leaks"]),
        ("text\r\nIt leaks\r\nFine\r\n", ["It leaks", "Fine"]),
        ("text\rIt leaks\rFine\r", ["It leaks", "Fine"]),
        ("text\nIt leaks", ["It leaks"]),
        ('text,id\n"It leaks, badly",1\n', ["It leaks, badly"]),
        ('text,id\n"It ""leaks""",1\n', ['It "leaks"']),
        ('text,id\n"It\nleaks\r\nstill",1\nFine,2\n', ["It\nleaks\r\nstill", "Fine"]),
        ("\n\ntext,id\n\nIt leaks,1\n\n", ["It leaks"]),
        ("id;text;rating\n1;It leaks, badly;2\n", ["It leaks, badly"]),
        ("id\ttext\n1\tIt leaks; badly\n", ["It leaks; badly"]),
        ("id|text\n1|It leaks, it does\n", ["It leaks, it does"]),
        ("sep=;\nid;text\n1;It leaks\n", ["It leaks"]),
        ("text,id,,\nIt leaks,1,,\n", ["It leaks"]),
        ('text,size\nA 5" screen,1\n', ['A 5" screen']),
        ("text\n=1+1\n", ["=1+1"]),
        ("text,x,y\nIt leaks,1,2,,,\n", ["It leaks"]),
        ("text,text\nIt leaks,badly\n", ["It leaks"]),
    ],
)
def test_shapes_of_tables(content: str, said: list[str]) -> None:
    assert texts(content) == said


SENTENCE = "Größe passt nicht – 40 € zu viel"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (f"id,text\n1,{SENTENCE}\n".encode(), SENTENCE),
        (f"id,text\n1,{SENTENCE}\n".encode("utf-8-sig"), SENTENCE),
        (f"id,text\n1,{SENTENCE}\n".encode("utf-16"), SENTENCE),
        (codecs.BOM_UTF16_BE + f"id,text\n1,{SENTENCE}\n".encode("utf-16-be"), SENTENCE),
        (f"id,text\n1,{SENTENCE}\n".encode("utf-16-le"), SENTENCE),
        (f"id,text\n1,{SENTENCE}\n".encode("utf-16-be"), SENTENCE),
        (f"id,text\n1,{SENTENCE}\n".encode("cp1252"), SENTENCE),
        ("id,text\n1,Le café était trop cher à Évry\n".encode("latin-1"), "Le café était trop cher à Évry"),
        ("id,text\n1,Größe passt nicht; schöne Füße\n".encode("mac_roman"), "Größe passt nicht; schöne Füße"),
        (
            "id,text\n1,二日目に蓋が割れました。返金してください\n".encode("cp932"),
            "二日目に蓋が割れました。返金してください",
        ),
        ("id,text\n1,盖子第二天就裂了,请退款\n".replace(",请", "，请").encode("gb18030"), "盖子第二天就裂了，请退款"),
    ],
)
def test_encodings_are_told_by_their_bytes(written: bytes, said: str) -> None:
    assert texts(written) == [said]


def test_an_umlaut_after_a_megabyte_is_still_found() -> None:
    content = "id,text\n" + f"1,{'plain ' * 2000}\n" * 100 + "2,Größe\n"

    *_, last = rows(content.encode("cp1252"))
    assert isinstance(last, Row)
    assert csv_file.parse(last.raw, settings={}).text == "Größe"


def test_an_encoding_that_cannot_be_told_is_asked_for() -> None:
    written = "id,text\n1,Крышка сломалась\n".encode("koi8_r")

    with pytest.raises(Unreadable, match=r"not UTF-8.*name its encoding in the settings.*\."):
        rows(written)
    assert texts(written, encoding="koi8_r") == ["Крышка сломалась"]


WIDE = ",".join(f"c{place}" for place in range(MOST_COLUMNS + 1))


@pytest.mark.parametrize(
    ("content", "channel", "says"),
    [
        ("", {}, "The file is empty."),
        ("\n\n", {}, "The file is empty."),
        ("sep=,\n", {}, "The file is empty."),
        ("text,rating\n", {}, "a header in line 1 and no row below it"),
        ("\ntext\n\n", {}, "a header in line 2 and no row below it"),
        ("colour,size\nred,3\n", {}, "None of the columns is known .* colour, size"),
        (WIDE + "\n", {}, "The header in line 1 has 2,001 columns; 2,000 are the most."),
        (
            '"text,id\nIt leaks,1\n',
            {},
            "The header in line 1 cannot be read. A quote opens in line 1 and is not closed.",
        ),
        ("te\x00xt\nIt leaks\n", {}, "The header in line 1 cannot be read. It holds a NUL"),
        ("x" * (LONGEST_FIELD + 1) + "\nIt leaks\n", {}, "longer than 131,072 characters"),
        ("text\nIt leaks\n", {"encoding": "moon"}, 'There is no encoding "moon"'),
        ("text\nIt leaks\n", {"delimiter": "x"}, "Fields can be separated by"),
        ("text\nIt leaks\n", {"columns": {"text": "moon"}}, 'no field "moon"'),
        ("text\nIt leaks\n", {"columns": ["text"]}, 'Write "columns" .* as in'),
    ],
)
def test_what_is_no_table_of_feedback_is_refused_in_words(content: str, channel: dict[str, Any], says: str) -> None:
    with pytest.raises(Unreadable, match=says) as refused:
        rows(content, **channel)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("bad", "column", "says"),
    [
        (f"2,{'x' * (LONGEST_FIELD + 1)},b", "text", "longer than 131,072 characters"),
        (f'2,"{"x" * (LONGEST_FIELD + 1)}",b', "text", "longer than 131,072 characters"),
        ("2," + "x," * (LONGEST_RECORD // 2) + "b", "", "longer than 2,000,000 characters|fields"),
        ("2,a\x00b,c", "text", "NUL"),
        ('2,"never closed,c', "text", "A quote opens in line 3 and is not closed"),
        ('2,"closed" too soon,c', "", "Write it twice"),
        ("2,a", "", "It has 2 fields, and the header names 3"),
        ("2,a,b,c", "", "It has 4 fields, and the header names 3"),
        ("id,text,more", "", "repeats the header"),
        ("2," + "," * MOST_COLUMNS + "x", "", "fields, and the header names 3"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_a_bad_row_costs_itself_alone(bad: str, column: str, says: str) -> None:
    content = f"id,text,more\n1,before,x\n{bad}\n3,after,x\n4,more,x\n"

    found = rows(content)
    (failed,) = [row for row in found if isinstance(row, BadRow)]

    assert (failed.number, failed.column) == (3, column)
    assert re.search(says, failed.reason)
    assert failed.reason.endswith(".")
    assert texts(content) == ["before", "after", "more"]
    assert [row.number for row in found] == [2, 3, 4, 5]


def test_a_file_of_unclosed_quotes_ends() -> None:
    """Each is read again from its second line; all in all not more than a bound."""
    content = "id,text\n" + '1,"open\n' * 20_000

    assert all(row.reason.endswith(".") for row in rows(content) if isinstance(row, BadRow))


@pytest.mark.parametrize("extra", ["", ",7", ",,,,"])
def test_rows_count_as_a_spreadsheet_counts(extra: str) -> None:
    found = rows('id,text\n1,"two\nlines"\n\n2,next\n')

    assert [row.number for row in found] == [2, 4]


class TestIds:
    def test_the_id_column_is_the_id(self) -> None:
        found = rows("Response ID,text\nR-1,It leaks\n ,It leaks\n")

        ids = [row.raw.external_id for row in found if isinstance(row, Row)]
        assert ids[0] == "R-1"
        assert ids[1].startswith("row:")

    def test_without_one_two_people_who_wrote_the_same_are_two(self) -> None:
        content = "text,stars\nIt leaks,2\nIt leaks,2\nIt leaks,1\n"
        first, again = ([row.raw.external_id for row in rows(content) if isinstance(row, Row)] for _ in range(2))

        assert len(set(first)) == 3
        assert first == again

    def test_the_order_of_columns_and_the_separator_change_no_id(self) -> None:
        (one,) = rows("text,stars\nIt leaks,2\n")
        (other,) = rows("stars;text\n2;It leaks\n")

        assert isinstance(one, Row)
        assert isinstance(other, Row)
        assert one.raw == other.raw

    def test_more_rows_at_the_end_change_no_id(self) -> None:
        short, long = rows("text\na\na\n"), rows("text\na\na\nb\na\n")

        assert short == long[:2]
        assert len({row.raw.external_id for row in long if isinstance(row, Row)}) == 4


@pytest.mark.parametrize(
    ("column", "value", "channel", "rating"),
    [
        ("rating", "4", {}, ("csat5", "4")),
        ("Rating", " 4,5 ", {}, ("csat5", "4.5")),
        ("score", "9", {"scale": "nps"}, ("nps", "9")),
        ("NPS", "0", {}, ("nps", "0")),
        ("nps score", "10", {}, ("nps", "10")),
        ("stars", "3", {}, ("stars5", "3")),
        ("rating", "★★★☆☆", {}, ("stars5", "3")),
        ("rating", "4/5", {}, ("csat5", "4")),
        ("rating", "8 of 10", {}, ("nps", "8")),
        ("rating (0-10)", "8", {}, ("nps", "8")),
        ("Satisfaction (1 to 7)", "6", {}, ("csat7", "6")),
        ("rating", "n/a", {}, None),
        ("rating", "", {}, None),
        ("rating", "many", {}, "is not a number"),
        ("rating", "6", {}, "not on the scale csat5"),
        ("rating", "0", {}, "not on the scale csat5"),
        ("nps", "11", {}, "not on the scale nps"),
        ("rating", "1e9999", {}, "is not a number"),
        ("rating", "NaN", {}, None),
        ("rating", "☆☆☆☆☆", {}, "not on the scale stars5"),
        ("rating", "4", {"scale": "moons"}, 'no rating scale "moons"'),
    ],
)
def test_ratings(column: str, value: str, channel: dict[str, Any], rating: tuple[str, str] | str | None) -> None:
    (draft,) = drafts(f'text;"{column}"\nIt leaks;{value}\n', **channel)

    if isinstance(rating, tuple):
        assert draft.rating == Rating(rating[0], Decimal(rating[1]))
        assert draft.remarks == ()
    else:
        assert draft.rating is None
        assert bool(draft.remarks) == bool(rating)
        if rating:
            # The words are kept, and so is what stood there.
            assert rating in draft.remarks[0].reason
            assert draft.context == {column: value}


@pytest.mark.parametrize(
    ("said", "channel", "moment"),
    [
        ("2026-03-31T18:00:00Z", {}, "2026-03-31T18:00:00"),
        ("2026-03-31T18:00:00+02:00", {}, "2026-03-31T16:00:00"),
        ("2026-03-31 18:00", {}, "2026-03-31T18:00:00"),
        ("2026-03-31 18:00", {"zone": "Europe/Berlin"}, "2026-03-31T16:00:00"),
        ("2026-03-31 18:00 UTC", {}, "2026-03-31T18:00:00"),
        ("2026-03-31", {}, "2026-03-31T00:00:00"),
        ("2026/03/31 18:00", {}, "2026-03-31T18:00:00"),
        ("31.03.2026 18:00", {}, "2026-03-31T18:00:00"),
        ("31/3/2026", {}, "2026-03-31T00:00:00"),
        ("3/31/2026 6:00 PM", {}, "2026-03-31T18:00:00"),
        ("3/4/2026", {"day_first": False}, "2026-03-04T00:00:00"),
        ("3/4/2026", {"day_first": True}, "2026-04-03T00:00:00"),
        ("Tue, 31 Mar 2026 18:00:00 +0000", {}, "2026-03-31T18:00:00"),
        ("31 Mar 2026", {}, "2026-03-31T00:00:00"),
        ("Mar 31, 2026 18:00", {}, "2026-03-31T18:00:00"),
        ("1774980000", {}, "2026-03-31T18:00:00"),
        ("1774980000123", {}, "2026-03-31T18:00:00"),
        ("3/4/2026", {}, None),
        ("31/31/2026", {}, None),
        ("2026-02-30", {}, None),
        ("yesterday", {}, None),
        ("0001-01-01T00:00:00+14:00", {}, None),
        ("9999-12-31T23:59:59-14:00", {}, None),
        ("0001-01-01", {}, None),
        ("9" * 400, {}, None),
        ("2026-03-31", {"zone": "Moon/Sea"}, None),
        ("2026-03-31", {"zone": "../../etc/passwd"}, None),
        ("31.03.2026, 18:00", {}, "2026-03-31T18:00:00"),
        ("3/31/2026, 6:00:05 p.m.", {}, "2026-03-31T18:00:05"),
        ("3/31/2026 6:00", {"zone": "Europe/Berlin"}, "2026-03-31T04:00:00"),
        ("31 March 2026 18:00 UTC", {"zone": "Europe/Berlin"}, "2026-03-31T18:00:00"),
    ],
)
def test_times_as_people_and_programs_write_them(said: str, channel: dict[str, Any], moment: str | None) -> None:
    if moment is None:
        with pytest.raises(Unclear, match=r"\."):
            moment_of(said, **channel)
    else:
        assert moment_of(said, **channel) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "value", "channel", "may"),
    [
        ("email", "ana@example.com", {}, False),
        ("email,may_contact", "ana@example.com,yes", {}, True),
        ("email,may_contact", "ana@example.com,no", {"may_contact": True}, False),
        ("email", "ana@example.com", {"may_contact": True}, True),
    ],
)
def test_an_address_in_a_table_is_no_consent(header: str, value: str, channel: dict[str, Any], may: bool) -> None:
    (draft,) = drafts(f"text,{header}\nIt leaks,{value}\n", **channel)

    assert draft.sender.email == "ana@example.com"
    assert draft.sender.may_contact is may


def test_the_channel_says_what_its_columns_hold() -> None:
    (draft,) = drafts(
        "What happened?;Punkte;Geheim;text\nIt leaks;9;x;not this\n",
        columns={"What happened?": "text", "Punkte": "rating", "Geheim": "ignore"},
        scale="nps",
    )

    assert (draft.text, draft.rating) == ("It leaks", Rating("nps", Decimal(9)))
    assert draft.context == {"text": "not this"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@settings(max_examples=60, deadline=None)
@given(
    said=st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=30),
            st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=30),
        ),
        min_size=1,
        max_size=8,
    ),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_whatever_a_csv_writer_writes_is_read_back(delimiter: str, said: list[tuple[str, str]], encoding: str) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(["text", "note"])
    writer.writerows(said)

    found = rows(out.getvalue().encode(encoding), delimiter=delimiter)

    repeated = ("text", "note")
    assert [tuple(row.cells.values()) for row in found if isinstance(row, Row)] == [
        each for each in said if each != repeated
    ]


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=300)
    | st.text(st.sampled_from('ab,;\t|"\n\r \x00é='), max_size=200).map(lambda text: ("text,id\n" + text).encode())
)
def test_any_bytes_are_read_or_refused_in_words(written: bytes) -> None:
    try:
        found = rows(written)
    except Unreadable as reason:
        said = [str(reason)]
    else:
        said = [row.reason for row in found if isinstance(row, BadRow)]
        for row in found:
            if isinstance(row, Row):
                try:
                    csv_file.parse(RawItem("1", row.raw.payload), settings={})
                except Unreadable as reason:
                    said.append(str(reason))
    assert all(each.endswith(".") for each in said)
