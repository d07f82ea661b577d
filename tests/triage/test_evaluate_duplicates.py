"""Finding duplicates is measured on records that name what they repeat."""

import pytest

from triage.evaluation import Ground, Unmeasurable, tasks

LEAK = "Since the second week there is a puddle of water under the machine every single morning"


def test_near_copies_and_other_words_are_counted() -> None:
    records = [
        {"id": "a", "text": LEAK},
        {"id": "b", "text": LEAK + "!", "duplicate_of": "a"},
        {"id": "c", "text": "A puddle of water is there each morning", "duplicate_of": ["b"]},
        {"id": "d", "text": "The courier left my parcel in the rain"},
        {"id": "e", "text": None, "duplicate_of": "nobody"},
    ]
    measured = tasks.get("duplicates").measure(records, Ground(label="duplicate_of"))

    assert measured.n == 3
    assert measured.more["copies_precision"] == 1.0
    assert measured.more["copies_recall"] == 0.5
    assert measured.more["recall_at_1"] == measured.accuracy == 1.0


def test_data_without_links_cannot_be_measured() -> None:
    with pytest.raises(Unmeasurable, match="names another"):
        tasks.get("duplicates").measure([{"id": 1, "text": LEAK}], Ground(label="duplicate_of"))
