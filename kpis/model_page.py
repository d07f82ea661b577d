"""What the learned models are worth: measured on corrections they had not seen, version by version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext, ngettext, pgettext

from feedback_portal.accounts.models import Team
from feedback_portal.languages import said
from feedback_portal.marking import marked
from feedback_portal.pending import backlog
from kpis.charts import PERCENT, WHOLE_PERCENT, Chart, LineChart, Point, Table, draw, out_of, written
from kpis.words import n_in_words
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
_NONE = marked("None of these")
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
        Field.URGENCY: {
            "0": gettext("Can wait"),
            "1": pgettext("urgency", "Normal"),
            "2": pgettext("urgency", "High"),
            "3": gettext("Danger"),
        },
        Field.SENTIMENT: {value: str(label) for value, label in Analysis.Sentiment.choices},
        Field.SPAM: {"spam": gettext("Spam"), "customer": gettext("A customer")},
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
        (
            gettext("Asked today"),
            gettext("%(count)s of %(most)s times")
            % {"count": written(today.requests), "most": written(provider.daily_requests)},
        ),
        (gettext("Tokens today"), out_of(today.tokens, provider.daily_tokens)),
        (
            gettext("In 30 days"),
            gettext("%(requests)s requests, %(tokens)s tokens")
            % {"requests": written(month.requests), "tokens": written(month.tokens)},
        ),
        (gettext("Failed in 30 days"), written(month.failures)),
        (gettext("Labels and quotes thrown away"), written(month.dropped)),
        (
            gettext("Waiting"),
            written(standing.waiting) if standing.waiting <= 10_000 else gettext("more than 10,000"),
        ),
        (
            gettext("Right, as people decided"),
            f"{_share(share(record.right, record.n))}, {n_in_words(record.n)}"
            if record.n
            else gettext("nobody has judged it yet"),
        ),
    ]


def _again(count: int) -> str:
    if not count:
        return ""
    if count > 10_000:
        return gettext("More than 10,000 items are still to be looked at again. What a person decided stays as it is.")
    told = ngettext(
        "%(count)s item is still to be looked at again. What a person decided stays as it is.",
        "%(count)s items are still to be looked at again. What a person decided stays as it is.",
        count,
    )
    return told % {"count": written(count)}


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
        by = (
            gettext("Nothing is learned yet: it goes by the taxonomy alone.")
            if field in BY_TAXONOMY
            else gettext("Nothing is learned yet: it goes by what words say alone.")
        )
        takes = gettext(
            "It takes %(corrections)s corrections of at least %(kinds)s kinds, and people have made %(known)s so far."
        ) % {"corrections": FEWEST_CORRECTIONS, "kinds": FEWEST_LABELS, "known": known}
        return f"{by} {takes}"
    if not active.corrections:
        return (
            gettext("It goes by the taxonomy alone, as on day one.")
            if field in BY_TAXONOMY
            else gettext("It goes by what words say alone, as on day one.")
        )
    told = ngettext(
        "Version %(version)s is in use, learned from %(count)s correction.",
        "Version %(version)s is in use, learned from %(count)s corrections.",
        active.corrections,
    )
    return told % {"version": active.pk, "count": written(active.corrections)}


def _facts(active: ModelVersion) -> list[tuple[str, str]]:
    measured, before = active.metrics, active.metrics.get("before", {})
    facts = [
        (gettext("Right"), f"{_share(measured['accuracy'])}, {n_in_words(measured['held_back'])}"),
        (
            gettext("The one before"),
            gettext("%(share)s on the same corrections") % {"share": PERCENT.write(before.get("accuracy"))},
        ),
        (gettext("Calibration error"), PERCENT.write(measured["calibration_error"])),
        (gettext("Trained in"), gettext("%(seconds)s s") % {"seconds": written(active.seconds, 1)}),
    ]
    if active.field not in BY_TAXONOMY:
        return facts
    chosen = active.thresholds.get("meaning") or active.thresholds.get("words") or {}
    auto, suggest = chosen.get("auto"), chosen.get("suggest")
    never = gettext("never: no confidence keeps the promise yet")
    facts.append((gettext("Set by itself"), _from(auto) if auto else never))
    facts.append((gettext("Proposed"), _from(suggest) if suggest else gettext("never yet")))
    return facts


def _from(confidence: float) -> str:
    return gettext("from %(confidence)s on") % {"confidence": written(confidence, 2)}


def _training(field: Field, waiting: Mapping[str, int]) -> str:
    if field not in waiting:
        return ""
    return (
        gettext("It is being trained now.")
        if waiting[field]
        else gettext("New corrections wait to be learned, within about a minute.")
    )


def _cards(measured: Mapping[str, Any]) -> list[Card]:
    if not measured.get("held_back"):
        return []
    kept = LineChart(
        sentence=gettext("How many are right, if only the surest are kept"),
        unit=PERCENT,
        points=tuple(
            Point(
                label=gettext("%(share)s kept") % {"share": WHOLE_PERCENT.write(part)},
                short_label=WHOLE_PERCENT.write(part),
                value=right,
            )
            for part, right in measured["coverage"]
        ),
        names=(marked("Kept, surest first"), marked("Right")),
    )
    sure = LineChart(
        sentence=gettext("How many are right, by how sure the model was"),
        unit=PERCENT,
        points=tuple(
            Point(
                label=gettext("%(low)s to %(high)s sure")
                % {"low": WHOLE_PERCENT.write(each["from"]), "high": WHOLE_PERCENT.write(each["to"])},
                short_label=WHOLE_PERCENT.write(each["from"]),
                value=each["right"][0],
                lower=each["right"][1],
                upper=each["right"][2],
                note=gettext("%(share)s sure on average, %(n)s")
                % {"share": WHOLE_PERCENT.write(each["sure"]), "n": n_in_words(each["n"])},
            )
            for each in measured["calibration"]
        ),
        band="interval",
        names=(marked("How sure"), marked("Right")),
    )
    return [
        _card(gettext("Coverage and accuracy"), gettext("What is given up in number is won in rightness."), kept),
        _card(gettext("Calibration"), gettext("A model that knows itself is right as often as it is sure."), sure),
    ]


def _curve(versions: Sequence[ModelVersion]) -> list[Card]:
    """Versions that were measured, and before them what the first of them was measured against."""
    shown = [each for each in reversed(versions) if each.metrics.get("held_back")]
    if not shown:
        return []
    before = shown[0].metrics.get("before", {}).get("accuracy")
    chart = LineChart(
        sentence=gettext("How many are right, version by version"),
        unit=PERCENT,
        points=(
            Point(
                label=gettext("Before them"),
                short_label=gettext("Before"),
                value=before,
                note=gettext("On the first one's corrections"),
            ),
            *(
                Point(
                    label=ngettext(
                        "Version %(version)s, %(count)s correction",
                        "Version %(version)s, %(count)s corrections",
                        each.corrections,
                    )
                    % {"version": each.pk, "count": written(each.corrections)},
                    short_label=written(each.corrections),
                    value=each.metrics["accuracy"][0],
                    lower=each.metrics["accuracy"][1],
                    upper=each.metrics["accuracy"][2],
                    note=each.get_state_display(),
                )
                for each in shown
            ),
        ),
        band="interval",
        names=(marked("Version"), marked("Right")),
    )
    return [_card(gettext("Learning curve"), gettext("By the number of corrections each version learned from."), chart)]


def _card(title: str, about: str, chart: Chart) -> Card:
    return Card(title, about, draw(chart), chart.table())


def _labels(measured: Mapping[str, Any], names: Mapping[str, str]) -> list[Label]:
    told = {each["label"]: each for each in measured.get("labels", ())}
    known = [
        Label(
            gettext(_NONE) if slug == "" else names[slug],
            each["corrections"],
            _share(each["precision"]),
            _share(each["recall"]),
        )
        for slug, each in told.items()
        if slug in names or slug == ""
    ]
    unknown = [Label(name, 0, _share(None), _share(None)) for slug, name in sorted(names.items()) if slug not in told]
    return [*known, *unknown][:_MOST_LABELS] if told else []


def _listed(version: ModelVersion, active: ModelVersion | None) -> Listed:
    measured = version.metrics
    about = said(version.why_rejected)
    if version.state == _State.CANDIDATE:
        about = gettext("Better, but the version in use is pinned.")
    elif version.activated_by:
        about = gettext("Chosen by %(person)s.") % {"person": version.activated_by}
    elif not version.corrections:
        about = (
            gettext("The taxonomy alone, as on day one.")
            if Field(version.field) in BY_TAXONOMY
            else gettext("What words say alone, as on day one.")
        )
    usable = version.artefact_id is not None or not version.corrections
    is_older = active is not None and version.pk < active.pk
    may = "" if version == active or not usable else "back" if is_older else "use"
    return Listed(
        version,
        _share(measured.get("accuracy")),
        written(measured["log_likelihood"], 3) if "log_likelihood" in measured else PERCENT.write(None),
        about,
        may,
    )


def _share(stored: Sequence[float] | None) -> str:
    """A share with its interval in words."""
    if not stored:
        return PERCENT.write(None)
    value, low, high = (PERCENT.write(each) for each in stored)
    slots = {"change": value, "low": low.removesuffix(PERCENT.ending), "high": high}
    return gettext("%(change)s (%(low)s to %(high)s)") % slots
