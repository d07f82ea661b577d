"""The numbers behind what says the same: near copies, likeness, groups, names, growth."""

import random

import numpy as np
import pytest

from triage.alike import clusters, copies, likely, naming, wording
from triage.alike.growth import NEEDS_DAYS, growth

TEXT = "Since the second week there is a puddle of water under the machine every single morning"


class TestCopies:
    def test_the_share_of_equal_places_estimates_what_two_texts_have_in_common(self) -> None:
        def jaccard(one: str, other: str) -> float:
            runs = [{text[n : n + 5] for n in range(len(text) - 4)} for text in map(copies.plain, (one, other))]
            return len(runs[0] & runs[1]) / len(runs[0] | runs[1])

        for other in (
            TEXT + " again and again, for weeks",
            TEXT[:40] + " in the afternoon",
            TEXT.upper(),
            "Quite another story, told by somebody else",
        ):
            one, two = copies.signature(TEXT), copies.signature(other)
            assert one is not None
            assert two is not None
            assert copies.likeness(one, two) == pytest.approx(jaccard(TEXT, other), abs=0.14)

    def test_near_texts_share_a_band_and_strangers_do_not(self) -> None:
        one, near, far = (
            copies.signature(text) for text in (TEXT, TEXT + "!!", "The courier left my parcel in the rain")
        )
        assert one is not None
        assert near is not None
        assert far is not None
        assert set(copies.bands(one)) & set(copies.bands(near))
        assert not set(copies.bands(one)) & set(copies.bands(far))

    @pytest.mark.parametrize("text", ["", "Great!", "\u200b" * 99, "\ud800", "ok " * 7])
    def test_a_text_too_short_to_tell_has_no_signature(self, text: str) -> None:
        assert copies.signature(text) is None

    def test_a_signature_survives_being_stored(self) -> None:
        made = copies.signature("x\ud800" * 40_000)
        assert made is not None
        assert np.array_equal(copies.unpacked(copies.packed(made)), made)


class TestWording:
    def test_a_bag_survives_being_stored_and_is_the_same_whatever_else_is_there(self) -> None:
        one = wording.bag(TEXT)
        again = wording.Bag.unpacked(one.packed())
        assert np.array_equal(one.numbers, again.numbers)
        assert np.array_equal(one.weights, again.weights)
        assert np.array_equal(wording.hashed([one]), wording.hashed([one, wording.bag("Another")])[:1])

    @pytest.mark.parametrize(
        "text", ["", "the and of", "\x00" * 50, "word " * 20_000, " ".join(map(str, range(30_000)))]
    )
    def test_any_text_has_a_bag_of_bounded_size(self, text: str) -> None:
        assert len(wording.bag(text).numbers) <= 2 * wording.MOST_WORDS + 1

    def test_the_likeliest_says_the_same_in_other_words(self) -> None:
        said = [
            TEXT,
            "The courier left my parcel in the rain",
            "A puddle of water is there each morning",
            "I like the colour",
            "",
        ]
        bags = [wording.bag(text) for text in said]
        none = [wording.bag("")] * len(said)
        (found, nothing) = likely.nearest([0, 4], bags, none, [None] * len(said), least=0.1)
        assert [each.other for each in found] == [2]
        assert nothing == []


class TestGroups:
    def points(self) -> tuple[wording.Vector, list[int]]:
        chance = np.random.default_rng(1)
        middles = wording.unit(chance.normal(size=(4, 64)).astype(np.float32))
        truth = [int(one) for one in chance.integers(0, 4, size=200)]
        return wording.unit(middles[truth] + chance.normal(scale=0.05, size=(200, 64)).astype(np.float32)), truth

    def test_groups_are_found_whole(self) -> None:
        points, truth = self.points()
        groups = clusters.grouped(points, near=0.6, merge=0.75, least=8)
        assert [anchor for anchor, _ in groups] == [-1] * 4
        assert sorted(len({truth[place] for place in places}) for _, places in groups) == [1] * 4
        assert sum(len(places) for _, places in groups) == 200

    def test_what_lies_around_an_anchor_joins_it_and_moves_it_not(self) -> None:
        points, truth = self.points()
        anchor = points[:1].copy()
        groups = dict(clusters.grouped(points, near=0.6, merge=0.75, least=8, anchors=anchor))
        assert {truth[place] for place in groups[0]} == {truth[0]}
        assert np.array_equal(anchor, points[:1])

    def test_a_group_continues_the_one_it_shares_most_with(self) -> None:
        middle = np.array([1, 0], dtype=np.float32)
        other = np.array([0, 1], dtype=np.float32)
        known = {7: (frozenset({1, 2, 3}), middle), 9: (frozenset({4, 5}), middle)}
        found = clusters.matched(
            [frozenset({3, 4, 5}), frozenset({1, 2}), frozenset({8})], [middle, middle, other], known, near=0.8
        )
        assert found == {0: 9, 1: 7}


def test_a_group_is_named_by_its_own_words_and_by_no_single_persons() -> None:
    said = [f"The seal of the lid leaks, {extra}" for extra in ("says Bob", "again", "still", "badly")]
    others = ["The lid is nice", "My lid is blue", "Where is the lid of the box", "The box came late"]
    words = naming.distinguishing(said, others)
    assert set(words[:2]) == {"seal", "leaks"}
    assert "bob" not in words


class TestGrowth:
    def test_before_thirty_five_days_nothing_is_said(self) -> None:
        assert growth([[1] * (NEEDS_DAYS - 1)], [9] * (NEEDS_DAYS - 1)) is None

    def test_a_surge_is_found_and_the_weekends_rhythm_is_not(self) -> None:
        total = np.array([100 if day % 7 < 5 else 40 for day in range(NEEDS_DAYS)])
        usual = total // 10
        surge = usual.copy()
        surge[-1] = 4 * max(usual[-1], 4)
        quiet, loud = growth([usual, surge], total + surge - usual) or []
        assert (quiet.grows, loud.grows, loud.window) == (False, True, 1)

    def test_three_voices_are_no_growth_however_rare_they_were(self) -> None:
        silent = np.zeros(NEEDS_DAYS)
        three, four = silent.copy(), silent.copy()
        three[-1], four[-1] = 3, 8
        found = growth([three, four], np.full(NEEDS_DAYS, 100)) or []
        assert [each.grows for each in found] == [False, True]

    def test_chance_alone_raises_few_alarms(self) -> None:
        """Forty themes whose counts vary half as much again as chance would have it, over half a year."""
        chance = np.random.default_rng(7)
        rates = np.exp(np.linspace(np.log(0.3), np.log(30), 40))
        week = np.array([1.2, 1.15, 1.1, 1.05, 1, 0.75, 0.75])[np.arange(200) % 7]
        counts = chance.negative_binomial(2 * rates[:, None] * week, 2 / 3)
        alarms = sum(
            each.grows
            for day in range(NEEDS_DAYS, 200, 7)
            for each in growth(counts[:, day - NEEDS_DAYS : day], counts[:, day - NEEDS_DAYS : day].sum(axis=0)) or []
        )
        assert alarms <= 15


def test_where_everything_is_alike_only_what_stands_out_is_likely() -> None:
    chance = random.Random(5)
    words = [
        f"{start}{end}" for start in ("bri", "sto", "kel", "man", "tur", "fli") for end in ("ne", "ck", "lo", "sa")
    ]
    said = [
        f"The parcel came too late and nobody rang: {' '.join(chance.sample(words, 4))}" for _ in range(likely.MANY)
    ]
    # Two that say a thing nobody else says, in other words.
    said += [
        "The parcel came with a broken violin, its neck and bridge in splinters",
        "A violin in splinters: neck and bridge",
    ]
    bags = [wording.bag(text) for text in said]
    empty = [wording.bag("") for _ in said]

    found = likely.nearest(list(range(len(said))), bags, empty, [None] * len(said))

    assert [each.other for each in found[-1]] == [len(said) - 2]
    assert sum(map(len, found[:-2])) < len(said) / 10
    among_few = likely.nearest(list(range(20)), bags[:20], empty[:20], [None] * 20)
    assert sum(map(len, among_few)) > 20
