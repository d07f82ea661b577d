"""What came in is compared in batches: near copies, likely duplicates with a reason, and the theme it joins."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from feedback_portal.accounts.models import Team
from intake.models import FeedbackItem
from tests.makers import AT, actor, make_customer, make_person, make_team, make_ticket
from triage import decisions, duplicates
from triage.models import Gathering, LikelyDuplicate, Theme, ThemeMember, Wording
from triage.persons import erasing
from triage.themes import gathering, grouping

pytestmark = pytest.mark.django_db

LEAK = "Since the second week there is a puddle of water under the machine every single morning"
NEARLY = "Since the second week there is a puddle of water under my machine every single morning!"
OTHER_WORDS = "A puddle of water stands under the coffee machine in the morning"
AWAY = "The courier left my parcel in the rain although somebody was at home"


@pytest.fixture(autouse=True)
def by_words_alone(settings: object) -> None:
    settings.ENCODER = False  # type: ignore[attr-defined]


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


def arrive(*texts: str, **fields: object) -> list[FeedbackItem]:
    items = [make_ticket(text, **fields).item for text in texts]  # type: ignore[arg-type]
    gathering.gather_later(items)
    gathering.gather_pending(at=AT)
    return items


class TestCopies:
    def test_a_near_copy_is_known_by_its_first_and_suggested_with_what_they_share(self, quality: Team) -> None:
        ana = make_customer("Ana")
        first, copy = arrive(LEAK, NEARLY, item_customer=ana, item_product="H4")

        assert Wording.objects.get(item=copy).copy_of == first
        row = LikelyDuplicate.objects.get(item=copy)
        assert (row.other, row.kind) == (first, "copy")
        assert row.score > 0.6
        assert {"customer", "product"} <= set(row.reason["same"])
        assert "morning" in row.reason["words"]
        assert not row.reason["identical"]

    def test_a_flood_of_one_text_has_one_first(self, quality: Team) -> None:
        first, *rest = arrive(*[LEAK] * 30)
        (late,) = arrive(LEAK)

        assert set(Wording.objects.filter(copy_of=first).values_list("item", flat=True)) == {
            item.pk for item in (*rest, late)
        }
        assert LikelyDuplicate.objects.get(item=late).reason["identical"]

    def test_when_the_first_is_erased_the_next_takes_its_place(self, quality: Team) -> None:
        first, second, third = arrive(LEAK, NEARLY, LEAK)
        erasing.erase(first.submission, at=AT)

        assert dict(Wording.objects.values_list("item", "copy_of")) == {second.pk: None, third.pk: second.pk}
        assert not LikelyDuplicate.objects.filter(other=first).exists()

    @pytest.mark.parametrize(
        "text",
        ["Great!", "\u200b" * 500, "a" * 70_000, "\U0001f600" * 3_000, "ok ok ok", "\ufffd\x01\x02", "% ' \" \\ {}"],
    )
    def test_hostile_texts_are_compared_like_any_other(self, quality: Team, text: str) -> None:
        one, other = arrive(text, text)
        assert Gathering.objects.filter(completed_at=None).count() == 0
        assert Wording.objects.filter(item__in=[one.pk, other.pk]).count() in (0, 2)


class TestLikely:
    def test_other_words_are_suggested_and_strangers_are_not(self, quality: Team) -> None:
        # In a small collection every word is rare; a few voices about something else make it one.
        filler = [
            f"The {word} of the grinder is too coarse for this {word}" for word in ("dial", "scale", "beans", "cup")
        ]
        first, *_, late = arrive(LEAK, AWAY, *filler, OTHER_WORDS)
        row = LikelyDuplicate.objects.get(item=late)
        assert (row.other, row.kind) == (first, "alike")
        assert {"puddle", "machine", "morning", "water"} & set(row.reason["words"])

    def test_what_speaks_of_another_product_is_not_suggested(self, quality: Team) -> None:
        filler = [
            f"The {word} of the grinder is too coarse for this {word}" for word in ("dial", "scale", "beans", "cup")
        ]
        arrive(LEAK, item_product="H4")
        arrive(AWAY, *filler)
        (unlike,) = arrive(OTHER_WORDS, item_product="Küche")
        (like,) = arrive(OTHER_WORDS + " Again!", item_product="h4")
        assert not LikelyDuplicate.objects.filter(item=unlike, kind="alike").exists()
        assert LikelyDuplicate.objects.filter(item=like, kind="alike").exists()

    def test_what_a_person_told_apart_is_not_suggested_again(self, quality: Team) -> None:
        tariq = make_person("Tariq", quality)
        first, copy = arrive(LEAK, NEARLY)
        ticket, other = copy.tickets.get(), first.tickets.get()
        assert [each.ticket for each in duplicates.likely(ticket, by=actor(tariq))] == [other]

        decisions.decide(ticket.reference, "not_same", by=actor(tariq), at=AT, other=other.reference)
        gathering.gather_later([copy])
        gathering.gather_pending(at=AT)

        assert duplicates.likely(ticket, by=actor(tariq)) == []
        assert duplicates.likely(other, by=actor(tariq)) == []
        assert not LikelyDuplicate.objects.exists()

    def test_nobody_is_shown_a_ticket_they_may_not_see(self, quality: Team) -> None:
        omar = make_person("Omar", make_team("marketing"))
        (first,) = arrive(LEAK)
        (copy,) = arrive(NEARLY, team=make_team("marketing"))
        assert duplicates.likely(copy.tickets.get(), by=actor(omar)) == []
        assert first.tickets.count() == 1

    def test_an_item_has_no_more_suggestions_than_its_bound(self, quality: Team) -> None:
        items = arrive(*[f"{OTHER_WORDS}, number {n} of {n * 7}, {'very ' * n} often" for n in range(12)])
        assert max(item.likely_originals.count() for item in items) <= 3


def test_a_batch_of_twenty_asks_as_often_as_one_of_two(quality: Team) -> None:
    def asked(count: int) -> int:
        items = [make_ticket(f"{LEAK} {'x' * n} {n}").item for n in range(count)]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            gathering.gather(items, at=AT)
        return len(queries)

    asked(3)
    assert asked(2) == asked(20)


class TestThemes:
    def test_what_is_said_often_becomes_a_theme_that_later_items_join(self, quality: Team) -> None:
        said = [
            f"The seal of the lid leaks and water runs out, {where}" for where in ("left", "right", "below", "behind")
        ]
        arrive(*said, *[f"{text} again" for text in said])
        grouping.group(None, at=AT)

        theme = Theme.objects.get()
        assert (theme.size, theme.state, theme.topic) == (8, "new", None)
        assert set(theme.words) >= {"seal", "leaks"}
        (late,) = arrive("Water runs out since the seal of the lid leaks")
        assert ThemeMember.objects.get(item=late).theme == theme
        theme.refresh_from_db()
        assert theme.size == 9

    def test_grouping_anew_twice_gives_the_same_themes_and_members(self, quality: Team) -> None:
        seal = [f"The seal of the lid leaks and water runs out, {n}" for n in range(9)]
        parcel = [f"The parcel came days too late and the courier never rang, {n}" for n in range(9)]
        arrive(*(text for pair in zip(seal, parcel, strict=True) for text in pair))
        grouping.group(None, at=AT)
        first = members()

        for days in (1, 2):
            grouping.regroup(None, at=AT + timedelta(days=days))
            assert members() == first
        assert len(set(first.values())) == 2
        assert Theme.objects.count() == 2

    def test_the_erased_leave_their_theme(self, quality: Team) -> None:
        items = arrive(*[f"The seal of the lid leaks and water runs out, {n}" for n in range(9)])
        grouping.group(None, at=AT)
        erasing.erase(items[0].submission, at=AT)
        assert Theme.objects.get().size == 8


def members() -> dict[int, int | None]:
    return dict(ThemeMember.objects.values_list("item", "theme"))
