"""What is learned from corrections."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from feedback_portal.marking import filled
from triage.blend import NONE, Blend, Example, Prediction, Unlearnable, fit
from triage.blend.copies import groups_of
from triage.blend.pooling import temperature
from triage.blend.promises import threshold, wilson_lower
from triage.taggers import Taxonomy, Text, Topic

SHOP = Taxonomy(
    (
        Topic("leak", "Seal leak", "Water comes out where it should not.", ("leak", "drips"), "quality"),
        Topic("lid", "Broken lid", "The lid or its hinge breaks.", ("lid", "hinge"), "quality"),
        Topic("late", "Late delivery", "The parcel came late or not at all.", ("late", "tracking"), "logistics"),
    )
)
SAID = {
    "leak": ["a puddle under the kettle", "my worktop is soaked", "it wets the whole table", "water under the pot"],
    "lid": ["the cover snapped off", "the top will not close", "its flap came off", "the cover is in two pieces"],
    "late": ["still waiting for the courier", "the box is not here yet", "no sign of my box", "the courier never came"],
    NONE: ["what a lovely colour", "greetings from the sea", "lovely people, greetings", "my aunt likes the colour"],
}
WHEN = ["today", "again", "since monday", "as before", "in may", "once more"]
# A stand-in for an encoder: every label a direction, every text a little off it.
AXES = dict(zip(SAID, np.eye(8, dtype=np.float32), strict=False))


def vector_of(label: str, number: int) -> np.ndarray:
    off = np.random.default_rng(number).normal(size=8).astype(np.float32)
    mixed = AXES[label] + 0.2 * off
    return (mixed / np.linalg.norm(mixed)).astype(np.float32)


def examples(*, vectors: bool = False) -> list[Example]:
    made = []
    for label, sayings in SAID.items():
        for saying in sayings:
            for when in WHEN:
                number = len(made)
                vector = vector_of(label, number) if vectors else None
                made.append(Example(f"\n{saying} {when}", label, vector, key=number))
    return made


WITH_VECTORS = Taxonomy(SHOP.topics, vectors=dict.fromkeys(SHOP.sayings, AXES["late"]))


@pytest.fixture(scope="module")
def blend() -> Blend:
    return fit(examples(), SHOP)


@pytest.fixture(scope="module")
def seeing() -> Blend:
    return fit(examples(vectors=True), WITH_VECTORS)


def one(blend: Blend, text: str, taxonomy: Taxonomy = SHOP) -> Prediction:
    [prediction] = blend.predict([Text(1, text=text)], taxonomy)
    return prediction


def test_it_learns_words_that_the_taxonomy_does_not_have(blend: Blend) -> None:
    assert one(blend, "the cover of mine snapped").label == "lid"
    assert one(blend, "there is a puddle, all soaked").label == "leak"
    assert one(blend, "lovely colour, greetings").label == NONE


def test_probabilities_add_up_to_one_over_every_topic(blend: Blend) -> None:
    prediction = one(blend, "the courier snapped")
    assert {label for label, _ in prediction.probabilities} == {"leak", "lid", "late", NONE}
    assert sum(share for _, share in prediction.probabilities) == pytest.approx(1, abs=1e-5)


def test_the_words_it_names_stand_in_the_text_where_it_says(blend: Blend) -> None:
    text = "Sadly the Cover snapped off"
    prediction = one(blend, text)
    assert {text[each.span.start : each.span.end] for each in prediction.words if each.span} >= {"Cover", "snapped"}


def test_what_is_not_set_says_why(blend: Blend) -> None:
    prediction = one(blend, "hello")
    assert prediction.verdict != "auto"
    assert prediction.why_not
    assert filled(prediction.why_not).endswith(".")


def test_the_same_examples_in_any_order_give_the_same_bytes(blend: Blend) -> None:
    assert fit(examples()[::-1], SHOP).to_bytes() == blend.to_bytes()


def test_an_answer_does_not_depend_on_the_batch(seeing: Blend) -> None:
    texts = [
        Text(number, text=f"{saying} yesterday", vector=vector_of(label, 900 + number) if number % 3 else None)
        for label, sayings in SAID.items()
        for number, saying in enumerate(sayings)
    ]
    together = seeing.predict(texts, WITH_VECTORS)
    assert together == [seeing.predict([text], WITH_VECTORS)[0] for text in texts]
    assert together == seeing.predict(texts[::-1], WITH_VECTORS)[::-1]


def test_it_comes_back_from_its_bytes_as_it_was(seeing: Blend) -> None:
    again = Blend.from_bytes(seeing.to_bytes())
    texts = [Text(1, text="the courier", vector=vector_of("late", 7)), Text(2, text="the courier")]
    assert again.predict(texts, WITH_VECTORS) == seeing.predict(texts, WITH_VECTORS)
    assert again.to_bytes() == seeing.to_bytes()


def test_with_vectors_it_names_the_nearest_examples(seeing: Blend) -> None:
    given = examples(vectors=True)
    [prediction] = seeing.predict(
        [Text(1, text="What happened here is that it was so yesterday", vector=vector_of("lid", 5))], WITH_VECTORS
    )
    assert prediction.label == "lid"
    assert [given[each.key].label for each in prediction.neighbours] == ["lid"] * 3
    cosines = [each.cosine for each in prediction.neighbours]
    assert cosines == sorted(cosines, reverse=True)


def test_a_team_is_learned_as_a_topic_is() -> None:
    teams = {"leak": "quality", "lid": "quality", "late": "logistics"}
    taught = [replace(each, label=teams[each.label]) for each in examples() if each.label]
    learned = fit(taught, SHOP, field="team")
    assert one(learned, "no sign of the courier").label == "logistics"
    assert one(learned, "it drips").label == "quality"


def test_a_topic_added_since_can_be_given_and_one_removed_cannot(blend: Blend) -> None:
    changed = Taxonomy((*SHOP.topics[:2], Topic("invoice", "Invoice", keywords=("invoice", "vat"))))
    shares = dict(one(blend, "no vat on the invoice", changed).probabilities)
    assert "late" not in shares
    assert shares["invoice"] > shares["lid"]


@pytest.mark.parametrize("taught", [[], examples()[:14], examples()[:20]])
def test_too_little_is_refused_in_a_sentence(taught: list[Example]) -> None:
    with pytest.raises(Unlearnable, match="it takes 15 of at least two"):
        fit(taught, SHOP)


def _changed(packed: bytes, name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as old, zipfile.ZipFile(out, "w") as new:
        for member in old.namelist():
            new.writestr(member, content if member == name else old.read(member))
        if name not in old.namelist():
            new.writestr(name, content)
    return out.getvalue()


def _array(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def test_bytes_that_are_no_model_are_refused_in_a_sentence(blend: Blend) -> None:
    packed = blend.to_bytes()
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        head = json.loads(np.load(io.BytesIO(archive.read("head.npy"))).tobytes())

    def with_head(**changes: object) -> bytes:
        text = json.dumps(head | changes).encode()
        return _changed(packed, "head.npy", _array(np.frombuffer(text, np.uint8)))

    huge = _array(np.zeros(1, np.float32)).replace(b"(1,)", b"(9999999999,)")
    for hostile in [
        b"",
        b"x" * 100,
        packed[:-30],
        packed[: len(packed) // 2],
        _changed(packed, "rarity.npy", _array(np.array([{"a": 1}], object))),
        _changed(packed, "rarity.npy", _array(np.zeros(3, np.float32))),
        _changed(packed, "rarity.npy", _array(np.full(len(blend.vocabulary), np.nan, np.float32))),
        _changed(packed, "rarity.npy", huge),
        _changed(packed, "words_weights.npy", _array(np.zeros((1, 1), np.float64))),
        _changed(packed, "more.npy", _array(np.zeros(1))),
        with_head(format=99),
        with_head(labels=["b", "a"]),
        with_head(labels="abc"),
        with_head(modes={}),
        with_head(counts=[-1] * 4),
        with_head(modes={**head["modes"], "words": {**head["modes"]["words"], "weights": [1.0]}}),
    ]:
        with pytest.raises(Unlearnable, match="cannot be read"):
            Blend.from_bytes(hostile)


def test_a_promise_is_kept_on_what_was_never_seen() -> None:
    """Every fifth label is wrong, so nothing may promise nine in ten of all; what it does set must keep it."""
    chance = np.random.default_rng(3)

    def said(label: str) -> str:
        other = str(chance.choice([each for each in SAID if each]))
        spoken = other if chance.random() < 0.2 else label
        sure = " ".join(chance.permutation(SAID[spoken][0].split())) if chance.random() < 0.6 else "it is bad"
        return f"{sure} {chance.choice(WHEN)} {chance.integers(1000)}"

    labels = [str(chance.choice([each for each in SAID if each])) for _ in range(900)]
    taught = [Example(f"\n{said(label)}", label, key=number) for number, label in enumerate(labels[:600])]
    learned = fit(taught, SHOP, promises={"auto": 0.75, "suggest": 0.5})
    asked = [Text(number, text=said(label)) for number, label in enumerate(labels[600:])]
    answers = learned.predict(asked, SHOP)
    kept = [
        answer.label == label for answer, label in zip(answers, labels[600:], strict=True) if answer.verdict == "auto"
    ]
    assert 60 < len(kept) < 280
    assert sum(kept) / len(kept) >= 0.72
    # On average it is as sure of the new as the folds were right, at the lower bound, which is 2 points below.
    of_folds = learned.modes["words"].figures
    bound = wilson_lower(round(of_folds["accuracy"] * of_folds["n"]), round(of_folds["n"]))
    assert np.mean([answer.confidence for answer in answers]) == pytest.approx(bound, abs=0.012)


def test_a_temperature_makes_the_likeliest_as_likely_as_is_asked() -> None:
    odds = np.log(np.array([[0.9, 0.1], [0.6, 0.4]]))
    for asked in (0.6, 0.75, 0.9):
        shares = np.exp(odds / temperature(odds, confidence=asked))
        assert (shares.max(axis=1) / shares.sum(axis=1)).mean() == pytest.approx(asked, abs=1e-6)
    assert temperature(odds, confidence=0.1) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("rights", "promise", "expected"),
    [
        ([True] * 20, 0.9, 0.81),  # Wilson's lower bound of 20 out of 20 is .952
        ([True] * 14, 0.9, None),  # too few to promise anything
        ([True] * 20 + [False] * 20, 0.9, 0.8),  # one wrong of 21 still keeps it (.899 does not)
        ([False] * 40, 0.5, None),
    ],
)
def test_a_threshold_is_the_lowest_that_keeps_its_promise(
    rights: list[bool], promise: float, expected: float | None
) -> None:
    confidences = 1 - np.arange(len(rights)) / 100
    found = threshold(np.array(rights), confidences, promise=promise)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        kept = int((confidences >= found).sum())
        assert wilson_lower(sum(rights[:kept]), kept) >= promise
        assert wilson_lower(sum(rights[: kept + 1]), kept + 1) < promise or kept == len(rights)


def test_equally_sure_answers_are_never_parted() -> None:
    rights = np.array([True] * 30 + [False] * 30)
    assert threshold(rights, np.full(60, 0.7), promise=0.9) is None


def test_near_copies_fall_into_one_group() -> None:
    letter = (
        "I am writing about the kettle that you sent me, since its lid does not close and the seal is worn. Please help"
    )
    texts = [
        Text(1, text=letter),
        Text(2, text=f"{letter}, Ana."),
        Text(3, text="The courier never came to us at all today"),
    ]
    groups = groups_of([*texts, Text(4, text=letter.upper())], ["", "", "", ""])
    assert groups[0] == groups[1] == groups[3] != groups[2]
    assert len(set(groups_of(texts, ["a", "b", "a"]).tolist())) == 1


def test_what_is_unlike_everything_is_not_set(seeing: Blend) -> None:
    far = np.zeros(8, np.float32)
    far[7] = 1
    [prediction] = seeing.predict(
        [Text(1, text="The cover has snapped off and it will not close", vector=far)], WITH_VECTORS
    )
    assert prediction.verdict == "abstain"
    assert filled(prediction.why_not or "") == "It is unlike any labelled item."


def test_other_languages_are_read_by_their_words_alone(seeing: Blend) -> None:
    text = Text(
        1, text="Der Deckel ist abgebrochen und die Dichtung ist auch nicht mehr gut", vector=vector_of("lid", 3)
    )
    [prediction] = seeing.predict([text], WITH_VECTORS)
    assert "labels_embedding" not in prediction.parts
    assert prediction.neighbours == ()


def test_every_answer_names_a_word_a_neighbour_or_why_it_is_none(blend: Blend, seeing: Blend) -> None:
    for model, taxonomy in ((blend, SHOP), (seeing, WITH_VECTORS), (Blend.day_one("topic"), SHOP)):
        for text in ("", "...", "cover", "the courier", "zzz zzz", "\U0001f600"):
            [prediction] = model.predict([Text(1, text=text, vector=vector_of("lid", 1))], taxonomy)
            assert prediction.words or prediction.neighbours or prediction.why_not


def test_a_label_whose_examples_have_no_vector_is_one_all_the_same() -> None:
    """Its people write German, say, which the encoder does not read."""
    given = [replace(each, vector=None) if each.label == "late" else each for each in examples(vectors=True)]
    learned = Blend.from_bytes(fit(given, WITH_VECTORS).to_bytes())

    [with_vector, without] = learned.predict(
        [Text(1, text="the lid is off", vector=vector_of("lid", 1)), Text(2, text="the courier")], WITH_VECTORS
    )
    assert with_vector.probabilities[0][0] == "lid"
    assert {slug for slug, _ in with_vector.probabilities} == {slug for slug, _ in without.probabilities}
