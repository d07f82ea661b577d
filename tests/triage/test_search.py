from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.finding.search import (
    EVERYTHING,
    LONGEST_QUERY,
    And,
    Between,
    Chip,
    Compared,
    Is,
    Length,
    Not,
    Or,
    Query,
    SearchError,
    Term,
    Value,
    Where,
    chips,
    dump,
    parse,
)
from triage.finding.search_fields import ALIASES, FIELDS

A, B, C = Term("a"), Term("b"), Term("c")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", EVERYTHING),
        ("   ", EVERYTHING),
        ("a", A),
        ("a b", And((A, B))),
        ("a or b", Or((A, B))),
        ("a OR b", Or((A, B))),
        ("a b or c", Or((And((A, B)), C))),
        ("(a or b) c", And((Or((A, B)), C))),
        ("((a (b)) c)", And((A, B, C))),
        ("-a b", And((Not(A), B))),
        ("-(a b)", Not(And((A, B)))),
        ("--a", A),
        ('"seal leak"', Term("seal leak", exact=True)),
        ('" seal   leak "', Term("seal leak", exact=True)),
        ('"or"', Term("or", exact=True)),
        ('-"seal leak"', Not(Term("seal leak", exact=True))),
        ("is:untriaged", Where("is", (Is("untriaged"),))),
        ("IS:Untriaged", Where("is", (Is("untriaged"),))),
        ("status:open", Where("is", (Is("open"),))),
        ("team:quality,none", Where("team", (Is("quality"), Is("none")))),
        ("team:quality,quality", Where("team", (Is("quality"),))),
        ('from:"Brandt Studio",Ana', Where("from", (Is("Brandt Studio"), Is("Ana")))),
        ("topic:leak", Where("tag", (Is("leak"),))),
        ("value:>5000", Where("value", (Compared(">", Decimal(5000)),))),
        ("value:>=0", Where("value", (Compared(">=", Decimal(0)),))),
        ("value:10.50..99", Where("value", (Between(Decimal("10.50"), Decimal(99)),))),
        ("rating:5..1", Where("rating", (Between(Decimal(1), Decimal(5)),))),
        ("rating:1,2", Where("rating", (Is(Decimal(1)), Is(Decimal(2))))),
        ("sla:<2h", Where("sla", (Compared("<", Length(2, "h")),))),
        ("sla:overdue", Where("sla", (Is("overdue"),))),
        ("received:2025-11-01..2025-11-21", Where("received", (Between(date(2025, 11, 1), date(2025, 11, 21)),))),
        ("received:>=2025-11-01", Where("received", (Compared(">=", date(2025, 11, 1)),))),
        ("received:today", Where("received", (Is("today"),))),
        ("received:<7d", Where("received", (Compared("<", Length(7, "d")),))),
        ("action:a-118", Where("action", (Is("A-118"),))),
        ("context.batch:H4-2231", Where("context.batch", (Is("H4-2231"),))),
        ("12:30", Term("12:30")),
        ("%%%%%", Term("%%%%%")),
        ("' OR 1=1", Or((Term("'"), Term("1=1")))),
        ("a & !b <-> c:", None),
    ],
)
def test_a_text_is_read_as_this_query(text: str, query: Query | None) -> None:
    if query is None:
        with pytest.raises(SearchError):
            parse(text)
    else:
        assert parse(text) == query


def test_the_example_of_the_design_is_understood_and_written_back_as_it_was() -> None:
    text = (
        "is:untriaged stage:quality team:none tag:leak lang:fr value:>5000 sla:<2h mood:neg product:H4 channel:review "
        'has:photo from:"Brandt Studio" assigned:me received:2025-11-01..2025-11-21 snoozed:yes suggest:unsure '
        'action:A-118 "exact words" -tag:praise'
    )
    assert dump(parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["-", "a -", "- a", "or", "or a", "a or", "a or or", "()", "a ()", "-()", '""', 'a -""', "-or a", "tag:b, a"],
)
def test_a_text_half_typed_is_read_without_what_is_not_there_yet(text: str) -> None:
    assert parse(text) in (EVERYTHING, A, And((Where("tag", (Is("b"),)), A)))


@pytest.mark.parametrize(
    ("text", "says", "suggestion"),
    [
        ("teem:quality a", 'Did you mean "team:"?', "team:quality a"),
        ("a -tga:leak", 'There is no field "tga"', "a -tag:leak"),
        ("http://example.com", "quotation marks", ""),
        ("mood:negative", 'Did you mean "neg"?', "mood:neg"),
        ("mood:neg,positive a", 'Did you mean "pos"?', "mood:neg,pos a"),
        ("is:zzz", "Use one of untriaged", ""),
        ("tag:", "Give a value", ""),
        ("tag:,", "Give a value", ""),
        ("value:", "value:>3", ""),
        ("context.batch:", "Give a value", ""),
        ("value:many", "value:>3", ""),
        ("value:>", "value:>3", ""),
        ("value:1..", "value:>3", ""),
        ("value:1..2..3", "value:>3", ""),
        ("value:1e999", "cannot read", ""),
        ("value:99999999999999999", "cannot read", ""),
        ("value:١", "cannot read", ""),
        ("sla:2h", "sla:<2h or sla:overdue", ""),
        ("sla:<2y", "sla:<2h", ""),
        ("received:2025-02-30", "cannot read", ""),
        ("received:2025-11-01..now", "cannot read", ""),
        ("received:20251101", "cannot read", ""),
        ("received:9999-12-31", "cannot read", ""),
        ("received:>0001-01-01", "cannot read", ""),
        ("received:7d", "received:today", ""),
        ("id:%", "cannot read", ""),
        ('tag:a"b"', "comma", ""),
        ('"seal leak', "not closed", '"seal leak"'),
        ("(a or b", "not closed", "(a or b)"),
        ("a) b", "place 2", ""),
        ("(" * 11 + "a" + ")" * 11, "10 deep", ""),
        ("a\x00b", "cannot be read", ""),
        ("a\x1b[2J", "cannot be read", ""),
        ("\ud800", "cannot be read", ""),
        ("a" * 257, "256 characters", ""),
    ],
)  # fmt: skip
def test_what_is_no_query_is_answered_with_a_sentence_and_where_possible_with_the_text_meant(
    text: str, says: str, suggestion: str
) -> None:
    with pytest.raises(SearchError) as refused:
        parse(text)
    assert says in refused.value.message
    assert refused.value.message.endswith((".", "?", '".'))
    assert refused.value.suggestion == suggestion
    assert refused.value.errors[0].path == "q"
    if suggestion:
        parse(suggestion)


def test_each_part_of_a_query_is_a_chip_with_the_query_without_it() -> None:
    assert chips(parse("is:untriaged (a or b) -tag:praise")) == (
        Chip("is:untriaged", "a or b -tag:praise".replace("a or b", "(a or b)")),
        Chip("a or b", "is:untriaged -tag:praise"),
        Chip("-tag:praise", "is:untriaged (a or b)"),
    )
    assert chips(parse("a or b")) == (Chip("a or b", ""),)
    assert chips(parse("")) == ()
    assert chips(parse("a (b or c)"))[0] == Chip("a", "b or c")


def test_every_field_has_an_example_that_works() -> None:
    for name, field in FIELDS.items():
        with pytest.raises(SearchError, match="Give a value") as refused:
            parse(f"{name}:")
        example = refused.value.message.rpartition(" ")[2].removesuffix(".")
        assert isinstance(parse(example), Where), name
        assert field.about
    assert set(ALIASES.values()) <= set(FIELDS)
    assert not set(ALIASES) & set(FIELDS)


def test_a_length_of_time_is_what_it_says() -> None:
    assert [Length(2, unit).delta for unit in "mhdw"] == [
        timedelta(minutes=2),
        timedelta(hours=2),
        timedelta(days=2),
        timedelta(weeks=2),
    ]


# --- properties -------------------------------------------------------------------------------------------------------

anything = st.text(st.sampled_from('abor :,"()-<>.=%é🙂1279tagisvalue\t\u202e'), max_size=40) | st.text(
    max_size=LONGEST_QUERY
)


@settings(deadline=None)
@given(anything)
def test_any_text_is_a_query_or_refused_with_a_sentence(text: str) -> None:
    try:
        query = parse(text)
    except SearchError:
        return
    assert parse(dump(query)) == query
    for chip in chips(query):
        parse(chip.without)


letters = st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters='"(),:-<>.')
plain = st.text(letters, min_size=1, max_size=8).filter(lambda text: text.lower() != "or" and not text.isspace())
phrases = st.lists(plain, min_size=1, max_size=3).map(" ".join)
amounts = st.decimals(-1000, 1000, places=2).map(abs)
days = st.dates(date(1900, 1, 1), date(8999, 12, 31))
operators = st.sampled_from(["<", "<=", ">", ">="])


@st.composite
def fields(draw: st.DrawFn) -> Where:
    name = draw(st.sampled_from([*FIELDS, "context.batch"]))
    kind = FIELDS[name].kind if name in FIELDS else "name"
    choices = FIELDS[name].choices if name in FIELDS else ()
    by_kind: dict[str, st.SearchStrategy[Value]] = {
        "choice": st.nothing(),
        "name": st.builds(Is, phrases.filter(lambda text: text.lower() not in ("me", "none"))),
        "number": st.builds(Is, amounts)
        | st.builds(Compared, operators, amounts)
        | st.tuples(amounts, amounts).map(sorted).map(lambda pair: Between(*pair)),
        "length": st.builds(Compared, operators, st.builds(Length, st.integers(0, 9999), st.sampled_from("mhdw"))),
        "day": st.builds(Is, days)
        | st.builds(Compared, operators, days | st.builds(Length, st.integers(0, 9999), st.sampled_from("mhdw")))
        | st.tuples(days, days).map(sorted).map(lambda pair: Between(*pair)),
        "code": st.builds(Is, st.integers(0, 10**9).map(lambda number: f"F-{number}")),
    }
    values = by_kind[kind] | (st.builds(Is, st.sampled_from(choices)) if choices else st.nothing())
    return Where(name, tuple(draw(st.lists(values, min_size=1, max_size=3, unique=True))))


def groups(inner: st.SearchStrategy[Query]) -> st.SearchStrategy[Query]:
    return (
        st.lists(inner.filter(lambda part: not isinstance(part, And)), min_size=2, max_size=3).map(
            lambda p: And(tuple(p))
        )
        | st.lists(inner.filter(lambda part: not isinstance(part, Or)), min_size=2, max_size=3).map(
            lambda p: Or(tuple(p))
        )
        | inner.filter(lambda part: not isinstance(part, Not)).map(Not)
    )


leaves: st.SearchStrategy[Query] = st.builds(Term, plain) | st.builds(Term, phrases, st.just(True)) | fields()
queries: st.SearchStrategy[Query] = leaves | groups(leaves | groups(leaves))


@settings(deadline=None)
@given(queries.filter(lambda query: len(dump(query)) <= LONGEST_QUERY))
def test_parse_is_the_inverse_of_dump(query: Query) -> None:
    assert parse(dump(query)) == query
