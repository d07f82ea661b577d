"""What an English text means weighs with its words, where its vector is there; nothing else hangs on it."""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np

from triage import encoder
from triage.taggers import sentiment
from triage.taggers.base import Suggestion, Taxonomy, Text
from triage.taggers.sentiment import Sentiment

HEAD = json.loads((Path(sentiment.__file__).parent / "sentiment_head.json").read_text())


def pointing(name: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The unit vector that speaks most for one sentiment against the other."""
    weights = dict(zip(HEAD["classes"], np.array(HEAD["weights"], np.float32)[:, : encoder.SIZE], strict=True))
    against = weights[name] - weights["neg" if name == "pos" else "pos"]
    return (against / np.linalg.norm(against)).astype(np.float32)


def told(text: str, *, vector: object = None, **about: object) -> list[Suggestion]:
    (given,) = Sentiment().tag([Text(1, text=text, vector=vector, **about)], Taxonomy())  # type: ignore[arg-type]
    return given


PLAIN = "On Thursday the box stood in the hall beside the stairs, where it stands every week"


def test_a_text_without_a_telling_word_is_told_by_what_it_means() -> None:
    assert told(PLAIN) == []
    assert told(PLAIN, vector=pointing("neg"))[0].value == "neg"
    assert told(PLAIN, vector=pointing("pos"))[0].value == "pos"


def test_words_still_stand_as_evidence() -> None:
    (one,) = told("The lid is broken and the handle is terrible, I must say", vector=pointing("neg"))

    assert {"broken", "terrible"} <= {each.says for each in one.evidence}
    assert one.score is not None
    assert one.score < 0


def test_a_rating_moves_what_a_text_seems_to_mean() -> None:
    low = told(PLAIN, vector=pointing("neg"), rating_scale="stars5", rating_value=Decimal(5))[0].score
    bare = told(PLAIN, vector=pointing("neg"))[0].score

    assert low is not None
    assert bare is not None
    assert low > bare


def test_outside_english_the_vector_says_nothing() -> None:
    german = "Der Griff ist abgefallen, während ich heißes Wasser eingegossen habe."

    assert told(german, vector=pointing("pos")) == told(german)


def test_the_head_belongs_to_the_encoder_that_is_in_use() -> None:
    """Whoever changes the encoder trains the head again."""
    assert HEAD["encoder"] == encoder.fingerprint()


def test_the_head_says_what_it_was_trained_on() -> None:
    assert all("MIT" in source or "CC BY 4.0" in source for source in HEAD["trained_on"])
