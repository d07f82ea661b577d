"""Vectors are encoded once, shared by whoever says the same, and gone with the last item that says it."""

import os
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from django.apps import apps
from django.conf import LazySettings
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from intake.models import Arrival, FeedbackItem
from tests.makers import make_item, make_team
from triage import encoder, pipeline
from triage.encoder import Encoder, Vector
from triage.models import Analysis, Embedding
from triage.persons import erasing
from triage.taggers.base import Text
from triage.taggers.topics import Topics
from triage.understanding import embeddings
from triage.understanding.embeddings import Near, normalised, text_hash, vectors_of

pytestmark = pytest.mark.django_db


class Counting(Encoder):
    """Stands in for the network: a vector of its own for each text, and a note of what was encoded."""

    def encode(self, texts: "list[str]") -> Vector:  # type: ignore[override]
        self._session.extend(texts)
        made = np.array(
            [np.random.default_rng(list(text.encode(errors="replace"))).normal(size=encoder.SIZE) for text in texts]
        )
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    stand_in = Counting(encoder.fingerprint(), seen, None)
    monkeypatch.setattr(embeddings, "_encoder", lambda: stand_in)
    return seen


def understood(text: str, **fields: object) -> FeedbackItem:
    """An item as the pipeline leaves it, with its vector known."""
    item = make_item(text, **fields)
    Arrival.objects.create(item=item)
    pipeline.understand_pending(at=timezone.now())
    vectors_of([pipeline.text_of(item).whole], encode=1)
    return item


def test_a_text_is_encoded_once_and_its_vector_is_the_same_new_or_known(encoded: list[str]) -> None:
    [new] = vectors_of(["It drips."], encode=5)
    [known] = vectors_of(["It drips."], encode=5)
    assert encoded == ["It drips."]
    assert new is not None
    assert known is not None
    assert np.array_equal(new, known)
    assert new.dtype == np.float32
    assert abs(float(new @ new) - 1) < 0.002


def test_at_most_so_many_are_encoded_and_the_others_stay_unknown(encoded: list[str]) -> None:
    vectors = vectors_of(["a", "b", "a", "c", ""], encode=2)
    assert encoded == ["a", "b"]
    assert [vector is not None for vector in vectors] == [True, True, True, False, False]
    assert vectors_of(["c"], encode=0) == [None]


def test_white_space_makes_no_other_text_and_half_a_character_none_that_fails(encoded: list[str]) -> None:
    vectors_of(["It  drips\n\tagain", " It drips again ", "\ud83d", "x" * 70_000, "x" * 80_000], encode=9)
    assert len(encoded) == 3
    assert normalised(" \n ") == ""
    assert text_hash("  ") is None


def test_the_number_of_queries_does_not_grow_with_the_texts(encoded: list[str]) -> None:
    def queries(number: int) -> int:
        with CaptureQueriesContext(connection) as seen:
            vectors_of([f"{number} {index}" for index in range(number)], encode=number)
        return len(seen)

    assert queries(2) == queries(40)


def test_without_an_encoder_what_is_known_is_given_and_nothing_fails(
    encoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors_of(["known"], encode=1)
    monkeypatch.setattr(embeddings, "_encoder", lambda: None)
    known, unknown = vectors_of(["known", "unknown"], encode=2)
    assert known is not None
    assert unknown is None


def test_switched_off_it_is_as_if_there_were_none(encoded: list[str], settings: LazySettings) -> None:
    vectors_of(["known"], encode=1)
    settings.ENCODER = False
    assert vectors_of(["known"], encode=1) == [None]
    assert embeddings.fingerprint() == ""
    assert not embeddings.state().works
    assert "PORTAL_ENCODER" in embeddings.state().advice


def test_a_missing_encoder_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "find_spec", lambda name: None)
    state = embeddings.state()
    assert not state.works
    assert "missing" in state.found
    assert "requirements-encoder.txt" in state.advice
    assert embeddings.fingerprint() == ""


def test_a_vector_or_hash_of_another_size_is_refused_by_the_database() -> None:
    for key, vector in ((b"k" * 31, b"v" * 768), (b"k" * 32, b"v" * 767)):
        with pytest.raises(IntegrityError, match="is_whole"), transaction.atomic():
            Embedding.objects.create(text_hash=key, fingerprint="f", vector=vector)


def test_the_pipeline_tells_which_vector_is_an_items(encoded: list[str]) -> None:
    make_team("quality")
    item = understood("The lid broke.", title="Lid")
    assert bytes(Analysis.objects.get(item=item).text_hash or b"") == text_hash("Lid\nThe lid broke.")
    keys, rows = embeddings.matrix_of([item.pk, 999_999])
    assert keys.tolist() == [item.pk]
    assert rows.shape == (1, encoder.SIZE)


def test_the_nearest_are_found_across_chunks(encoded: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    make_team("quality")
    monkeypatch.setattr(embeddings, "_AT_ONCE", 2)
    items = [understood(f"text {number}") for number in range(5)]
    understood("not among them")
    [vector] = vectors_of(["text 3"], encode=0)
    assert vector is not None
    among = Analysis.objects.filter(item__in=items)
    found = embeddings.nearest(vector, among=among, most=3)
    keys, rows = embeddings.matrix_of([item.pk for item in items])
    exact = sorted(zip(rows.astype(np.float32) @ vector, keys, strict=True), reverse=True)[:3]
    assert found == [Near(int(key), pytest.approx(float(cosine), abs=1e-6)) for cosine, key in exact]  # type: ignore[arg-type]
    assert found[0] == Near(items[3].pk, pytest.approx(1, abs=0.002))  # type: ignore[arg-type]


def test_an_erased_item_takes_its_vector_along_unless_another_says_the_same(encoded: list[str]) -> None:
    make_team("quality")
    first, second = understood("Call me at home, I live alone"), understood("Call me  at home, I live alone")
    assert Embedding.objects.count() == 1
    erasing.erase(first.submission, at=timezone.now())
    assert Embedding.objects.count() == 1
    erasing.erase(second.submission, at=timezone.now())
    assert not Embedding.objects.exists()
    assert not Analysis.objects.exclude(text_hash=None).exists()


def test_a_text_changed_at_its_source_leaves_no_vector_of_what_stood_there(encoded: list[str]) -> None:
    make_team("quality")
    item = understood("My number is on the box")
    FeedbackItem.objects.filter(pk=item.pk).update(text="Solved, thanks")
    Arrival.objects.filter(item=item).delete()
    Arrival.objects.create(item=item)
    pipeline.understand_pending(at=timezone.now())
    assert not Embedding.objects.filter(text_hash=text_hash("\nMy number is on the box")).exists()
    assert bytes(Analysis.objects.get(item=item).text_hash or b"") == text_hash("\nSolved, thanks")


def test_vectors_of_earlier_encoders_and_of_nobodys_text_are_forgotten_after_a_day(
    encoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_team("quality")
    item = understood("Still said")
    vectors_of(["Typed into a preview"], encode=1)
    kept = Embedding.objects.get(text_hash=Analysis.objects.get(item=item).text_hash)
    Embedding.objects.create(text_hash=kept.text_hash, fingerprint="of yesterday", vector=kept.vector)
    now = timezone.now()
    assert embeddings.forget_unused(at=now) == 0
    assert embeddings.forget_unused(at=now + timedelta(days=2)) == 2
    assert Embedding.objects.get().text_hash == kept.text_hash

    vectors_of([f"nobody says {number}" for number in range(5)], encode=5)
    monkeypatch.setattr(embeddings, "_MOST_FORGOTTEN", 3)
    assert embeddings.forget_unused(at=now + timedelta(days=2)) == 3


@pytest.mark.skipif(bool(encoder.absent()), reason=encoder.absent() or "there")
def test_a_forked_process_loads_a_session_of_its_own(settings: LazySettings, tmp_path: Path) -> None:
    settings.ENCODER_DIR = tmp_path
    embeddings._process.__init__()  # type: ignore[misc]
    assert embeddings.prepare().works
    ours = embeddings._encoder()
    assert ours is embeddings._encoder()
    child = os.fork()
    if not child:
        os._exit(0 if embeddings._process.loaded is None and embeddings._encoder() is not ours else 1)
    assert os.waitpid(child, 0)[1] == 0
    embeddings._process.__init__()  # type: ignore[misc]


def test_items_understood_before_there_were_vectors_are_told_theirs(encoded: list[str]) -> None:
    make_team("quality")
    item, erased = understood("The lid broke.", title="Lid"), understood("Erased long ago")
    erasing.erase(erased.submission, at=timezone.now())
    Analysis.objects.update(text_hash=None)
    import_module("triage.migrations.0010_which_vector_is_an_items").fill(apps, None)
    assert bytes(Analysis.objects.get(item=item).text_hash or b"") == text_hash("Lid\nThe lid broke.")
    assert Analysis.objects.get(item=erased).text_hash is None


def test_what_changed_is_read_again_by_its_vector_which_stays_where_the_words_do(
    encoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    same, other = understood("It leaks", title="Kettle"), understood("It drips")
    read: list[bool] = []

    def tag(self: Topics, batch: list[Text], taxonomy: object) -> list[list[object]]:
        read.extend(text.vector is not None for text in batch)
        return [[] for _ in batch]

    monkeypatch.setattr(Topics, "tag", tag)
    FeedbackItem.objects.filter(pk=same.pk).update(product="K2")
    FeedbackItem.objects.filter(pk=other.pk).update(text="It leaks and drips")
    before = list(encoded)
    Arrival.objects.filter(item__in=[same, other]).update(completed_at=None, next_attempt_at=Now())

    pipeline.understand_pending(at=timezone.now())

    assert read == [True, True]
    assert encoded == [*before, "It leaks and drips"]
    assert Embedding.objects.count() == 2
    assert vectors_of([pipeline.text_of(same).whole], encode=0)[0] is not None
