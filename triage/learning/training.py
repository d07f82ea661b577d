"""Learning from corrections: a model is trained, measured against the one in use, and takes its place only if it is better.

The rule of promotion. Both models answer the same corrections, each held back from whoever answers: the new one by folds
(near copies share a fold), the one in use as it stands where it never saw the correction, and by its own folds where it did.
The new one is promoted if the mean log-likelihood of the right labels rises and its accuracy is no worse, that is, not lower
by more than one standard error of the paired difference. Else it is kept as rejected, with the reason. While the version in
use is pinned, nothing is promoted by itself; whoever chooses a version by hand pins it, for the corrections that made the
other one are still there and would bring it back within the minute.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from time import perf_counter
from typing import Any

import structlog
from django.db import transaction
from django.utils.translation import gettext

from feedback_portal.marking import worded
from feedback_portal.pending import Drained, drain_outside
from triage.blend import Blend, Example, Unlearnable, fit
from triage.blend.artefact import FORMAT
from triage.evaluation.figures import Comparison, Outcome, compare, figures_of, packed, unpacked
from triage.learning.corrections import MOST, corrections, labelled
from triage.learning.promotion import CannotUse, forget_old, locked, take_over
from triage.models import Artefact, ModelVersion, Training
from triage.models.learning import LARGEST_ARTEFACT, Refinement
from triage.taggers.base import Taxonomy, Text
from triage.understanding import embeddings, learned
from triage.understanding.taxonomy import active_topics, digest, taxonomy_of, with_meaning

log = structlog.get_logger("portal.learning")

FEWEST_CORRECTIONS = 15
FEWEST_LABELS = 2
FOLDS = 5
# Longer than Celery lets a task run.
_LEASE = timedelta(minutes=6)
_MOST_ENCODED = 2_000


@dataclass(frozen=True)
class Trained:
    """A model that was trained and measured, and the version it was measured against; not stored yet."""

    field: str
    content: bytes
    corrections: int
    outcomes: Sequence[Outcome]
    comparison: Comparison
    metrics: Mapping[str, Any]
    thresholds: Mapping[str, Any]
    taxonomy: str
    against: int
    seconds: float


def train_pending(*, at: datetime) -> Drained:
    """Train what is due. The work runs with no transaction open; a worker that dies in it leaves a lease that runs out."""
    return drain_outside(
        Training.objects.all(),
        lambda row: train(row.field, at=at),
        lambda row, trained: settle(trained, at=at),
        batch=1,
        lease=_LEASE,
        seconds=60,
    )


def train(field: str, *, at: datetime) -> Trained | None:
    """A new model of the field from the corrections as they are, measured; None while there are too few, or none are new."""
    taxonomy = with_meaning(taxonomy_of(active_topics()))
    examples, events, said = _examples(field)
    if said < FEWEST_CORRECTIONS or len({each.label for each in examples}) < FEWEST_LABELS:
        return None
    current = _in_use(field, taxonomy, at=at)
    known: dict[str, Any] = {
        "corrections": len(examples),
        "newest": max(events),
        "taxonomy": digest(taxonomy),
        "encoder": embeddings.fingerprint(),
    }
    if current.metrics.get("known") == known or _was_rejected(current, known):
        return None
    started = perf_counter()
    try:
        model = _fit(examples, taxonomy, field)
    except Unlearnable:
        return None
    outcomes = _held_back(field, examples, events, taxonomy)
    comparison = compare(outcomes, _of_current(current, examples, events, taxonomy))
    return Trained(
        field=field,
        content=model.to_bytes(),
        corrections=len(examples),
        outcomes=outcomes,
        comparison=comparison,
        metrics=figures_of(outcomes) | {"known": known, "before": _before(comparison, current)},
        thresholds={name: dict(mode.thresholds) for name, mode in model.modes.items()},
        taxonomy=known["taxonomy"],
        against=current.pk,
        seconds=perf_counter() - started,
    )


def settle(trained: Trained | None, *, at: datetime) -> None:
    """Store what was trained, if anything, and take it into use if it is better than what it was measured against and nobody
    pinned that.

    Raises `CannotUse` when another version was taken into use meanwhile, so that it is measured again.
    """
    if trained is None:
        return
    with transaction.atomic():
        current = locked(trained.field)
        if current is None or current.pk != trained.against:
            raise CannotUse(
                gettext("Another version was taken into use meanwhile. It is measured against that one next.")
            )
        waiting = ModelVersion.objects.of(trained.field).filter(state=ModelVersion.State.CANDIDATE)
        waiting.update(
            state=ModelVersion.State.REJECTED, why_rejected=worded("A newer version was trained before it was used.")
        )
        version = ModelVersion.objects.create(
            field=trained.field,
            state=ModelVersion.State.CANDIDATE if trained.comparison.is_better else ModelVersion.State.REJECTED,
            why_rejected=trained.comparison.reason,
            parent=current,
            artefact=_stored(trained.content, packed(trained.outcomes)),
            corrections=trained.corrections,
            metrics=trained.metrics,
            thresholds=trained.thresholds,
            encoder=embeddings.fingerprint(),
            features=FORMAT,
            taxonomy=trained.taxonomy,
            seconds=trained.seconds,
            created_at=at,
        )
        if trained.comparison.is_better and current.pinned_at is None:
            take_over(version, current, at=at, why=Refinement.Why.PROMOTED)
        forget_old(trained.field)
    log.info("trained", field=version.field, version=version.pk, state=version.state, corrections=version.corrections)


def _examples(field: str) -> tuple[list[Example], list[int], int]:
    """The corrections as examples with their vectors, the events that made them, and how many of them somebody said."""
    said = labelled(corrections(field, most=MOST))
    vectors = embeddings.vectors_of([each.text.whole for each in said], encode=_MOST_ENCODED)
    examples = [
        Example(
            text=each.text.whole,
            label=each.correction.label,
            vector=vector,
            language=each.text.declared_language,
            group=each.group,
            key=each.correction.item,
        )
        for each, vector in zip(said, vectors, strict=True)
    ]
    return (
        examples,
        [each.correction.event for each in said],
        sum(not each.correction.is_silent for each in said),
    )


def _in_use(field: str, taxonomy: Taxonomy, *, at: datetime) -> ModelVersion:
    """The version in use. The first of all is the taxonomy alone, what the portal goes by on day one: something to be measured
    against, and to go back to."""
    rows = ModelVersion.objects.active().of(field).select_related("artefact")
    if (current := rows.first()) is None:
        first = ModelVersion(
            field=field,
            state=ModelVersion.State.ACTIVE,
            taxonomy=digest(taxonomy),
            encoder=embeddings.fingerprint(),
            created_at=at,
            activated_at=at,
        )
        # Another worker may be as far.
        ModelVersion.objects.bulk_create([first], ignore_conflicts=True)
        current = rows.get()
    return current


def _was_rejected(current: ModelVersion, known: Mapping[str, Any]) -> bool:
    """Whether the newest version was made of just this, and measured against just that, without taking its place."""
    newest = ModelVersion.objects.of(current.field).newest_first().first()
    return (
        newest is not None
        and newest.state in {ModelVersion.State.REJECTED, ModelVersion.State.CANDIDATE}
        and newest.parent_id == current.pk
        and newest.metrics.get("known") == known
    )


def _fit(examples: Sequence[Example], taxonomy: Taxonomy, field: str) -> Blend:
    return fit(examples, taxonomy, field=field, encoder=embeddings.fingerprint())


def _held_back(field: str, examples: Sequence[Example], events: Sequence[int], taxonomy: Taxonomy) -> list[Outcome]:
    """What models of the other folds say of each example. An example is always in the same fold, and so are its copies."""
    folds = [int.from_bytes(sha256(each.group.encode()).digest()[:4]) % FOLDS for each in examples]
    outcomes: dict[int, Outcome] = {}
    for number in set(folds):
        kept = [each for each, fold in zip(examples, folds, strict=True) if fold != number]
        asked = [(each, event) for each, event, fold in zip(examples, events, folds, strict=True) if fold == number]
        try:
            model = _fit(kept, taxonomy, field)
        except Unlearnable:  # so few are left that it would know no more than on day one
            model = Blend.day_one(field)
        outcomes.update((outcome.event, outcome) for outcome in _ask(model, asked, taxonomy))
    return [outcomes[event] for event in events]


def _ask(model: Blend, asked: Sequence[tuple[Example, int]], taxonomy: Taxonomy) -> list[Outcome]:
    answers = model.predict([text_of(each) for each, _ in asked], taxonomy) if asked else []
    return [
        Outcome(event, each.label, said.label, said.confidence, dict(said.probabilities).get(each.label, 0.0))
        for (each, event), said in zip(asked, answers, strict=True)
    ]


def _of_current(
    current: ModelVersion, examples: Sequence[Example], events: Sequence[int], taxonomy: Taxonomy
) -> list[tuple[bool, float]]:
    """How the version in use does on each correction: as it was measured where it learned from it, as it stands elsewhere."""
    known = unpacked(bytes(current.artefact.outcomes)) if current.artefact else {}
    model = learned.model_of(current)
    unseen = [(each, event) for each, event in zip(examples, events, strict=True) if event not in known]
    told = _ask(model, unseen, taxonomy)
    found = {outcome.event: (outcome.is_right, outcome.log_likelihood) for outcome in told}
    return [known[event] if event in known else found[event] for event in events]


def text_of(example: Example) -> Text:
    title, _, text = example.text.partition("\n")
    return Text(example.key, title=title, text=text, declared_language=example.language, vector=example.vector)


def _before(comparison: Comparison, current: ModelVersion) -> dict[str, Any]:
    return {
        "version": current.pk,
        "accuracy": comparison.accuracies[1],
        "log_likelihood": comparison.log_likelihoods[1],
    }


def _stored(content: bytes, outcomes: bytes) -> Artefact:
    """The bytes under their hash, which names the corrections too: the same model measured anew is another artefact."""
    if len(content) > LARGEST_ARTEFACT:
        told = gettext("The model has %(bytes)s bytes, and a worker may hold %(most)s of one.")
        raise CannotUse(told % {"bytes": f"{len(content):,}", "most": f"{LARGEST_ARTEFACT:,}"})
    key = sha256(content + outcomes).hexdigest()
    row = Artefact(sha256=key, size=len(content), content=content, outcomes=outcomes)
    Artefact.objects.bulk_create([row], ignore_conflicts=True)
    return row
