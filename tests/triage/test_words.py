from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.phrases import Hit, Phrases
from triage.words import _WORD, LONGEST_TEXT, fold, stem, stems, words


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("The lid CRACKED.", ("the", "lid", "cracked", ".")),
        ("Défaut à Zürich, straße", ("defaut", "a", "zurich", "strasse")),
        ("Łódź, Ørsted, İzmir, ığdır", ("lodz", "orsted", "izmir", "igdir")),
        ("don't DON\u2019T it's l'eau", ("don't", "don't", "it's", "l", "eau")),
        ("What?! Yes... 3.5 bar", ("what", "!", "yes", ".", "3", "5", "bar")),
        ("see https://a.example/x?y=1 @ana www.b.example ok", ("see", "ok")),
        ("snake_case e-mail", ("snake", "case", "e", "mail")),
        ("我的卡坏了。", ("我", "的", "卡", "坏", "了", ".")),
        ("こわれた", ("こ", "わ", "れ", "た")),
        ("배송이 늦어요", ("배송이", "늦어요")),
        ("great :-) bad :( 👍🏽 ;) 1:3", ("great", ":)", "bad", ":(", "👍", "🏽", ":)", "1", "3")),
        ("", ()),
    ],
)
def test_a_text_is_cut_into_words_that_can_be_compared(text: str, folded: tuple[str, ...]) -> None:
    assert words(text).folded == folded


@pytest.mark.parametrize(
    "family",
    [
        "leak leaks leaking leaked",
        "cancel cancels cancelled canceled cancelling cancellation",
        "delay delays delayed delaying",
        "battery batteries",
        "charge charges charged charging",
        "box boxes",
        "install installed installing installation",
        "stop stops stopped stopping",
        "verify verifies",
        "customer customer's customers",
    ],
)
def test_forms_of_one_english_word_share_a_stem(family: str) -> None:
    assert len({stem(word) for word in family.split()}) == 1


@pytest.mark.parametrize("pair", ["car care", "bus business", "gas glass", "his hiss", "bill bell", "sing sang"])
def test_different_words_keep_different_stems(pair: str) -> None:
    assert len({stem(word) for word in pair.split()}) == 2


ODD = st.text(st.sampled_from("aAbB  .!?;:\n=()-DPp/|@'\u2019_019é中ไ😀ßwtsm\u0301") | st.characters(), max_size=60)
PIECES = st.lists(
    st.sampled_from(
        [
            "http://x.y",
            "www.a",
            "wWw.b",
            "@name",
            ":)",
            ";-)",
            "=D",
            "; ",
            "don't",
            "l'eau",
            "3.5",
            ".5",
            "...",
            "?!",
            "中文",
            " ",
            "_",
        ]
    ),
    max_size=12,
).map("".join)


@settings(deadline=None)
@given(ODD | PIECES)
def test_every_word_stands_where_it_is_said_to_stand(text: str) -> None:
    found = words(text)
    assert len(found.folded) == len(found.starts) == len(found.ends)
    reached = 0
    for word, start, end in zip(found.folded, found.starts, found.ends, strict=True):
        assert reached <= start < end <= len(text)
        assert word
        reached = end
        if word[0].isalnum():
            assert fold(text[start:end]).replace("\u2019", "'") == word
    cut = [each for each in _WORD.finditer(text) if each.lastgroup not in {"link", "name"}]
    assert [each.span() for each in cut] == list(zip(found.starts, found.ends, strict=True))


def test_what_lies_beyond_the_longest_text_is_not_looked_at() -> None:
    found = words("a " * LONGEST_TEXT)
    assert found.ends[-1] <= LONGEST_TEXT


# --- phrases ----------------------------------------------------------------------------------------------------------

LEAKS = Phrases([("leak", "a"), ("seal leak", "b"), ("the seal leak test", "c"), ("Leak!", "d")])


def test_every_phrase_is_found_also_inside_a_longer_one() -> None:
    said = words("The seal leak test").folded
    assert list(LEAKS.find(said)) == [Hit(0, 4, ("c",)), Hit(1, 3, ("b",)), Hit(2, 3, ("a", "d"))]


def test_the_longest_phrases_do_not_overlap() -> None:
    said = words("the seal leak test, a seal leak, leak").folded
    assert [(hit.start, hit.end) for hit in LEAKS.longest(said)] == [(0, 4), (5, 7), (7, 8)]


def test_a_phrase_does_not_reach_over_the_end_of_a_sentence() -> None:
    assert [hit.start for hit in LEAKS.find(words("seal. leak").folded)] == [2]


def test_a_phrase_without_words_is_never_found() -> None:
    nothing = Phrases([("", "x"), ("...", "y")])
    assert not list(nothing.find(("", ".", "a")))


alphabet = st.sampled_from("abc.")
texts = st.lists(alphabet, max_size=12)


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), max_size=6), texts)
def test_the_tree_finds_what_looking_everywhere_would_find(listed: list[list[str]], said: list[str]) -> None:
    phrases = Phrases((" ".join(phrase), number) for number, phrase in enumerate(listed))
    expected = {
        (start, start + len(phrase), number)
        for number, phrase in enumerate(listed)
        for start in range(len(said))
        if said[start : start + len(phrase)] == phrase
    }
    assert {(hit.start, hit.end, number) for hit in phrases.find(said) for number in hit.meanings} == expected
    longest = list(phrases.longest(said))
    assert all(before.end <= after.start for before, after in pairwise(longest))
    assert {place for start, end, _ in expected for place in range(start, end)} >= {
        place for hit in longest for place in range(hit.start, hit.end)
    }


@settings(deadline=None)
@given(ODD | PIECES)
def test_stems_are_those_of_the_words_in_their_order(text: str) -> None:
    assert stems(text) == tuple(map(stem, words(text).folded))
