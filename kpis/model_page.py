"""What the learned models are worth: measured on corrections they had not seen, version by version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse

from feedback_portal.accounts.models import Team
from feedback_portal.pending import backlog
from kpis.charts import PERCENT, Chart, LineChart, Point, Table, draw
from triage.asking import providers
from triage.evaluation.figures import NEEDS_EXAMPLES, share
from triage.learning.corrections import corrections
from triage.learning.training import FEWEST_CORRECTIONS, FEWEST_LABELS
from triage.models import Analysis, ModelVersion, Refinement, Topic, Training
from triage.models.learning import BY_TAXONOMY, Field
from triage.understanding import embeddings

VERSIONS = 20
"""The newest, which is how many can be taken into use again."""
_MOST_LABELS = 200
_NONE = "None of these"
_State = ModelVersion.State


@dataclass(frozen=True)
class Label:
    """How one topic or team fares."""

    name: str
    corrections: int
    precision: str
    recall: str

    @property
    def needs_examples(self) -> bool:
        return self.corrections < NEEDS_EXAMPLES


@dataclass(frozen=True)
class Listed:
    """One version in the list, and what may be done with it: "use", "back" or nothing."""

    version: ModelVersion
    accuracy: str
    likelihood: str
    about: str
    may: str


@dataclass(frozen=True)
class Card:
    title: str
    about: str
    picture: Any
    table: Table


@dataclass(frozen=True)
class Learned:
    """Everything the page shows of one field."""

    field: str
    name: str
    active: ModelVersion | None
    sentence: str
    facts: Sequence[tuple[str, str]]
    training: str
    cards: Sequence[Card]
    labels: Sequence[Label]
    versions: Sequence[Listed]


@dataclass(frozen=True)
class Outside:
    """A model outside that a tagger may ask: how it is doing, what it cost, and how often it was right."""

    standing: providers.Standing
    facts: Sequence[tuple[str, str]]


def page(*, at: datetime) -> dict[str, Any]:
    """The context of the model page."""
    names: dict[Field, Mapping[str, str]] = {
        Field.TOPIC: dict(Topic.objects.filter(is_active=True).values_list("slug", "name")),
        Field.TEAM: dict(Team.objects.filter(is_active=True).values_list("slug", "name")),
        Field.URGENCY: {"0": "Can wait", "1": "Normal", "2": "High", "3": "Danger"},
        Field.SENTIMENT: {value: str(label) for value, label in Analysis.Sentiment.choices},
        Field.SPAM: {"spam": "Spam", "customer": "A customer"},
    }
    waiting = dict(Training.objects.waiting().order_by("-pk").values_list("field", "attempts"))
    return {
        "encoder": embeddings.state(),
        "again": _again(backlog(Refinement)["waiting"]),
        "outside": [Outside(each, _spending(each)) for each in providers.standings(at=at)],
        "models": [_learned(field, names[field], waiting) for field in Field],
        "unsure_url": reverse("triage:workbench") + "?q=suggest:unsure",
    }


def _spending(standing: providers.Standing) -> list[tuple[str, str]]:
    provider, today, month, record = standing.provider, standing.today, standing.month, standing.record
    if provider is None:
        return []
    return [
        ("Asked today", f"{today.requests:,} of {provider.daily_requests:,} times"),
        ("Tokens today", f"{today.tokens:,} of {provider.daily_tokens:,}"),
        ("In 30 days", f"{month.requests:,} requests, {month.tokens:,} tokens"),
        ("Failed in 30 days", f"{month.failures:,}"),
        ("Labels and quotes thrown away", f"{month.dropped:,}"),
        ("Waiting", f"{standing.waiting:,}" if standing.waiting <= 10_000 else "more than 10,000"),
        (
            "Right, as people decided",
            f"{_share(share(record.right, record.n))}, n = {record.n:,}" if record.n else "nobody has judged it yet",
        ),
    ]


def _again(count: int) -> str:
    if not count:
        return ""
    told = "1 item is" if count == 1 else f"{count:,} items are" if count <= 10_000 else "More than 10,000 items are"
    return f"{told} still to be looked at again. What a person decided stays as it is."


def _learned(field: Field, names: Mapping[str, str], waiting: Mapping[str, int]) -> Learned:
    versions = list(ModelVersion.objects.of(field).newest_first().select_related("activated_by")[:VERSIONS])
    active = next((each for each in versions if each.state == _State.ACTIVE), None)
    if active is None:
        active = ModelVersion.objects.of(field).active().select_related("activated_by").first()
    measured = active.metrics if active else {}
    return Learned(
        field=field.value,
        name=str(field.label),
        active=active,
        sentence=_sentence(field, active),
        facts=_facts(active) if active and measured.get("held_back") else (),
        training=_training(field, waiting),
        cards=[*_cards(measured), *_curve(versions)],
        labels=_labels(measured, names),
        versions=[_listed(each, active) for each in versions],
    )


def _sentence(field: Field, active: ModelVersion | None) -> str:
    if active is None:
        known = sum(not each.is_silent for each in corrections(field, most=FEWEST_CORRECTIONS))
        return (
            f"Nothing is learned yet: it goes by {_alone(field)} alone. It takes {FEWEST_CORRECTIONS} corrections of at least"
            f" {FEWEST_LABELS} kinds, and people have made {known} so far."
        )
    if not active.corrections:
        return f"It goes by {_alone(field)} alone, as on day one."
    return f"Version {active.pk} is in use, learned from {active.corrections:,} corrections."


def _alone(field: Field) -> str:
    return "the taxonomy" if field in BY_TAXONOMY else "what words say"


def _facts(active: ModelVersion) -> list[tuple[str, str]]:
    measured, before = active.metrics, active.metrics.get("before", {})
    facts = [
        ("Right", f"{_share(measured['accuracy'])}, n = {measured['held_back']:,}"),
        ("The one before", f"{PERCENT.write(before.get('accuracy'))} on the same corrections"),
        ("Calibration error", PERCENT.write(measured["calibration_error"])),
        ("Trained in", f"{active.seconds:.1f} s"),
    ]
    if active.field not in BY_TAXONOMY:
        return facts
    chosen = active.thresholds.get("meaning") or active.thresholds.get("words") or {}
    auto, suggest = chosen.get("auto"), chosen.get("suggest")
    facts.append(("Set by itself", f"from {auto:.2f} on" if auto else "never: no confidence keeps the promise yet"))
    facts.append(("Proposed", f"from {suggest:.2f} on" if suggest else "never yet"))
    return facts


def _training(field: Field, waiting: Mapping[str, int]) -> str:
    if field not in waiting:
        return ""
    return (
        "It is being trained now." if waiting[field] else "New corrections wait to be learned, within about a minute."
    )


def _cards(measured: Mapping[str, Any]) -> list[Card]:
    if not measured.get("held_back"):
        return []
    kept = LineChart(
        sentence="How many are right, if only the surest are kept",
        unit=PERCENT,
        points=tuple(
            Point(label=f"{part:.0%} kept", short_label=f"{part:.0%}", value=right)
            for part, right in measured["coverage"]
        ),
        names=("Kept, surest first", "Right"),
    )
    sure = LineChart(
        sentence="How many are right, by how sure the model was",
        unit=PERCENT,
        points=tuple(
            Point(
                label=f"{each['from']:.0%} to {each['to']:.0%} sure",
                short_label=f"{each['from']:.0%}",
                value=each["right"][0],
                lower=each["right"][1],
                upper=each["right"][2],
                note=f"{each['sure']:.0%} sure on average, n = {each['n']:,}",
            )
            for each in measured["calibration"]
        ),
        band="interval",
        names=("How sure", "Right"),
    )
    return [
        _card("Coverage and accuracy", "What is given up in number is won in rightness.", kept),
        _card("Calibration", "A model that knows itself is right as often as it is sure.", sure),
    ]


def _curve(versions: Sequence[ModelVersion]) -> list[Card]:
    """Versions that were measured, and before them what the first of them was measured against."""
    shown = [each for each in reversed(versions) if each.metrics.get("held_back")]
    if not shown:
        return []
    before = shown[0].metrics.get("before", {}).get("accuracy")
    chart = LineChart(
        sentence="How many are right, version by version",
        unit=PERCENT,
        points=(
            Point(label="Before them", short_label="Before", value=before, note="On the first one's corrections"),
            *(
                Point(
                    label=f"Version {each.pk}, {each.corrections:,} corrections",
                    short_label=f"{each.corrections:,}",
                    value=each.metrics["accuracy"][0],
                    lower=each.metrics["accuracy"][1],
                    upper=each.metrics["accuracy"][2],
                    note=each.get_state_display(),
                )
                for each in shown
            ),
        ),
        band="interval",
        names=("Version", "Right"),
    )
    return [_card("Learning curve", "By the number of corrections each version learned from.", chart)]


def _card(title: str, about: str, chart: Chart) -> Card:
    return Card(title, about, draw(chart), chart.table())


def _labels(measured: Mapping[str, Any], names: Mapping[str, str]) -> list[Label]:
    told = {each["label"]: each for each in measured.get("labels", ())}
    known = [
        Label(
            _NONE if slug == "" else names[slug], each["corrections"], _share(each["precision"]), _share(each["recall"])
        )
        for slug, each in told.items()
        if slug in names or slug == ""
    ]
    unknown = [Label(name, 0, _share(None), _share(None)) for slug, name in sorted(names.items()) if slug not in told]
    return [*known, *unknown][:_MOST_LABELS] if told else []


def _listed(version: ModelVersion, active: ModelVersion | None) -> Listed:
    measured = version.metrics
    about = version.why_rejected
    if version.state == _State.CANDIDATE:
        about = "Better, but the version in use is pinned."
    elif version.activated_by:
        about = f"Chosen by {version.activated_by}."
    elif not version.corrections:
        about = f"{_alone(Field(version.field)).capitalize()} alone, as on day one."
    usable = version.artefact_id is not None or not version.corrections
    is_older = active is not None and version.pk < active.pk
    may = "" if version == active or not usable else "back" if is_older else "use"
    return Listed(
        version,
        _share(measured.get("accuracy")),
        f"{measured['log_likelihood']:.3f}" if "log_likelihood" in measured else PERCENT.write(None),
        about,
        may,
    )


def _share(stored: Sequence[float] | None) -> str:
    """A share with its interval in words."""
    if not stored:
        return PERCENT.write(None)
    value, low, high = (PERCENT.write(each) for each in stored)
    return f"{value} ({low.removesuffix(PERCENT.suffix)} to {high})"
