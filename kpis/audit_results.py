"""What the weekly audits found: how far two people agree, and how often the portal was right, with how sure that is.

Counted over the audits of the last quarter, of items that two people labelled alike or a third settled. A sample sees rare ways of
placing items more often than they occur, so each item counts for as many as it stands for: the arrivals of its stratum in its
week over those that were drawn of it. Agreement is of the first two people, before anything was settled, and is not weighted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count
from django.utils.translation import gettext

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import marked
from kpis import statistics
from kpis.charts import WHOLE_PERCENT, out_of, written
from kpis.words import between
from triage.models import Audit, AuditAnswer, AuditedItem, Ticket, Topic

QUARTER = timedelta(days=91)
FEWEST_OF_A_LANGUAGE = 200
"""So many items of a language must be labelled before its sentiment is put right by them."""
FEWEST = 10
"""Of fewer there is no rate, only how many of how many."""
MOST_ROWS = 200
MOST_MISSES = 30
STRATA = {
    "rule": marked("Placed by a rule"),
    "model": marked("Placed as learned from corrections"),
    "topic": marked("Placed by its topic"),
    "catch_all": marked("Left to the catch-all team"),
    "spam": marked("Put aside as spam"),
}
_NOTHING = "\N{EN DASH}"
_State = AuditedItem.State
_CLEAR = frozenset({"neg", "neu", "pos"})


@dataclass(frozen=True)
class Share:
    """Right so many times of so many; the rate and its interval weigh each item by what it stands for."""

    hits: int
    n: int
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    worth: float = 0.0
    """How many equally weighted items the sample is worth."""

    @property
    def words(self) -> str:
        if self.n < FEWEST or self.estimate is None:
            return out_of(self.hits, self.n) if self.n else _NOTHING
        return WHOLE_PERCENT.write(self.estimate)

    @property
    def interval(self) -> str:
        if self.n < FEWEST or self.low is None or self.high is None:
            return ""
        return between(written(100 * self.low), WHOLE_PERCENT.write(self.high))


@dataclass(frozen=True)
class Agreement:
    """Cohen's kappa of the first two people over `n` items."""

    n: int
    kappa: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def words(self) -> str:
        return written(self.kappa, 2) if self.kappa is not None and self.n >= FEWEST else _NOTHING

    @property
    def interval(self) -> str:
        if self.kappa is None or self.n < FEWEST or self.low is None or self.high is None:
            return ""
        return between(written(self.low, 2), written(self.high, 2))


@dataclass(frozen=True)
class Row:
    """One topic, or one team: of what the portal said, and of what people said, how much is right."""

    name: str
    precision: Share
    recall: Share
    agreement: Agreement


@dataclass(frozen=True)
class Week:
    name: str
    first_day: date
    drawn: int
    labelled: int
    settled: int
    disputed: int
    waiting: int
    given_up: int
    is_closed: bool


@dataclass(frozen=True)
class Miss:
    """An item of which the portal said something else than people."""

    reference: str
    headline: str
    said: str
    people: str


@dataclass(frozen=True)
class Sound:
    """The share of items of one language that sound negative (or positive), as the portal saw it and put right for how often it
    is wrong about that; `about` says why there is no such share."""

    language: str
    name: str
    seen: str
    share: Share | None
    about: str = ""


@dataclass(frozen=True)
class Results:
    weeks: Sequence[Week]
    labelled: int
    team_agreement: Agreement
    topic_agreement: Agreement
    routing: Share
    strata: Sequence[tuple[str, Share]]
    teams: Sequence[Row]
    topics: Sequence[Row]
    sounds: Sequence[Sound]
    misses: Sequence[Miss] = field(default_factory=list)


@dataclass(frozen=True)
class _Labelled:
    item: int
    stratum: str
    weight: float
    machine: Mapping[str, Any]
    label: Mapping[str, Any]
    language: str


def results(*, by: Actor, at: datetime) -> Results:
    """Of the audits of the last quarter; `misses` are only those that exist for the reader."""
    audits = list(Audit.objects.filter(first_day__gt=(at - QUARTER).date()).order_by("-first_day"))
    labelled = _labelled(audits)
    pairs = _pairs(audits)
    topics = dict(Topic.objects.values_list("slug", "name"))
    teams = dict(Team.objects.values_list("slug", "name"))
    placed = [each for each in labelled if "team" in each.label]
    by_team = [(first[0], second[0]) for first, second in pairs if first[0] and second[0]]
    by_topics = [(first[1], second[1]) for first, second in pairs]
    return Results(
        weeks=_weeks(audits),
        labelled=len(labelled),
        team_agreement=agreement(by_team),
        topic_agreement=agreement(by_topics),
        routing=_routed(placed),
        strata=[
            (gettext(name), _routed([each for each in placed if each.stratum == slug])) for slug, name in STRATA.items()
        ],
        teams=_rows(
            teams,
            [({str(each.machine.get("team"))}, {str(each.label["team"])}, each.weight) for each in placed],
            [({first}, {second}) for first, second in by_team],
        ),
        topics=_rows(
            topics,
            [(set(each.machine.get("topics", ())), set(each.label["topics"]), each.weight) for each in labelled],
            [(set(first), set(second)) for first, second in by_topics],
        ),
        sounds=_sounds(audits, labelled),
        misses=_misses(labelled, topics, teams, by=by),
    )


def agreement(pairs: Sequence[tuple[Any, Any]]) -> Agreement:
    """Of two people over the same items; what each said may be anything that can be compared."""
    names = sorted({each for pair in pairs for each in pair}, key=repr)
    place = {name: index for index, name in enumerate(names)}
    table = [[0] * len(names) for _ in names]
    for first, second in pairs:
        table[place[first]][place[second]] += 1
    found = statistics.kappa_interval(table)
    return Agreement(len(pairs), found["kappa"], found["low"], found["high"])


def _labelled(audits: Sequence[Audit]) -> list[_Labelled]:
    weights = {
        (audit.pk, name): stratum["arrived"] / max(1, stratum["drawn"])
        for audit in audits
        for name, stratum in audit.strata.items()
    }
    rows = AuditedItem.objects.filter(audit__in=audits, label__isnull=False, item__submission__gone_at=None)
    return [
        _Labelled(item, stratum, weights.get((audit, stratum), 1.0), machine, label or {}, language)
        for audit, item, stratum, machine, label, language in rows.order_by("pk").values_list(
            "audit_id", "item_id", "stratum", "machine", "label", "item__analysis__language"
        )
    ]


def _pairs(audits: Sequence[Audit]) -> list[tuple[Any, Any]]:
    """(team, topics) of the first and of the second person, for each item that both answered."""
    said: dict[int, list[tuple[str | None, tuple[str, ...]]]] = defaultdict(list)
    rows = AuditAnswer.objects.filter(audited__audit__in=audits, seat__in=[1, 2]).order_by("audited_id", "seat")
    for audited, team, topics in rows.values_list("audited_id", "team", "topics"):
        said[audited].append((team, tuple(sorted(topics))))
    return [(each[0], each[1]) for each in said.values() if len(each) == 2]


def _rows(
    names: Mapping[str, str],
    seen: Sequence[tuple[set[str], set[str], float]],
    pairs: Sequence[tuple[set[str], set[str]]],
) -> list[Row]:
    """One row for each name that anybody said, the most frequent first. `seen` are (machine, people, weight)."""
    often = Counter(name for machine, people, _ in seen for name in machine | people)
    rows = []
    for slug, _ in sorted(often.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_ROWS]:
        rows.append(
            Row(
                name=names.get(slug, slug),
                precision=_share((slug in people, weight) for machine, people, weight in seen if slug in machine),
                recall=_share((slug in machine, weight) for machine, people, weight in seen if slug in people),
                agreement=agreement([(slug in first, slug in second) for first, second in pairs]),
            )
        )
    return rows


def _routed(placed: Sequence[_Labelled]) -> Share:
    return _share((each.machine.get("team") == each.label["team"], each.weight) for each in placed)


def _share(seen: Iterable[tuple[bool, float]]) -> Share:
    pairs = list(seen)
    hits = [hit for hit, _ in pairs]
    found = statistics.weighted_share(hits, [weight for _, weight in pairs])
    return Share(sum(hits), len(hits), found["estimate"], found["low"], found["high"], found["n"])


def _sounds(audits: Sequence[Audit], labelled: Sequence[_Labelled]) -> list[Sound]:
    """By language, those that most items are in first; of items whose sentiment the portal could tell."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for audit in audits:
        for language, counts in audit.sentiments.items():
            seen[language].update({name: count for name, count in counts.items() if name in _CLEAR})
    known: dict[str, list[tuple[str, str, float]]] = defaultdict(list)
    for each in labelled:
        machine, people = each.machine.get("sentiment"), each.label.get("sentiment")
        if machine in _CLEAR and people:
            known[each.language].append((machine, people, each.weight))
    languages = sorted(known, key=lambda language: (-seen[language].total(), language))[:MOST_ROWS]
    return [
        _sound(language, name, seen[language], known[language]) for language in languages for name in ("neg", "pos")
    ]


def _sound(language: str, name: str, seen: Counter[str], known: Sequence[tuple[str, str, float]]) -> Sound:
    all_seen, n = seen.total(), len(known)
    sees = WHOLE_PERCENT.write(seen[name] / all_seen) if all_seen else _NOTHING
    label = gettext("Negative") if name == "neg" else gettext("Positive")
    found = _share((machine == name, weight) for machine, people, weight in known if people == name)
    passed = _share((machine != name, weight) for machine, people, weight in known if people != name)
    if n < FEWEST_OF_A_LANGUAGE or not all_seen or found.estimate is None or passed.estimate is None:
        about = gettext("needs %(needed)s labelled items, has %(count)s")
        return Sound(language, label, sees, None, about % {"needed": FEWEST_OF_A_LANGUAGE, "count": n})
    right = statistics.rogan_gladen(
        {"estimate": seen[name] / all_seen, "n": all_seen},
        sensitivity={"estimate": found.estimate, "n": found.worth},
        specificity={"estimate": passed.estimate, "n": passed.worth},
    )
    if right["estimate"] is None:
        return Sound(language, label, sees, None, gettext("not measurable: the portal is wrong too often about this"))
    return Sound(language, label, sees, Share(n, n, right["estimate"], right["low"], right["high"]))


def _weeks(audits: Sequence[Audit]) -> list[Week]:
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    rows = AuditedItem.objects.filter(audit__in=audits).values_list("audit_id", "state").annotate(n=Count("pk"))
    for audit, state, n in rows:
        counts[audit][state] = n
    return [
        Week(
            name=str(audit),
            first_day=audit.first_day,
            drawn=counts[audit.pk].total(),
            labelled=counts[audit.pk][_State.AGREED],
            settled=counts[audit.pk][_State.SETTLED],
            disputed=counts[audit.pk][_State.DISPUTED],
            waiting=counts[audit.pk][_State.OPEN],
            given_up=counts[audit.pk][_State.UNUSABLE],
            is_closed=audit.closed_at is not None,
        )
        for audit in audits
    ]


def _misses(
    labelled: Sequence[_Labelled], topics: Mapping[str, str], teams: Mapping[str, str], *, by: Actor
) -> list[Miss]:
    """The newest of which the portal said something else, as far as they exist for the reader."""
    wrong = [each for each in reversed(labelled) if _told(each.machine, each) != _told(each.label, each)]
    tickets: dict[int, Ticket] = {}
    rows = Ticket.objects.visible_to(by).filter(item__in=[each.item for each in wrong[: 5 * MOST_MISSES]])
    for row in rows.select_related("item").defer("item__text", "item__context", "explanation").order_by("-pk"):
        tickets[row.item_id] = row

    def words(said: Mapping[str, Any], each: _Labelled) -> str:
        named = ", ".join(topics.get(slug, slug) for slug in sorted(said.get("topics", ()))) or gettext("no topic")
        team = said.get("team") if "team" in each.label else None
        return f"{teams.get(team, team)}: {named}" if team else named

    return [
        Miss(ticket.reference, ticket.item.headline, words(each.machine, each), words(each.label, each))
        for each in wrong
        if (ticket := tickets.get(each.item)) is not None
    ][:MOST_MISSES]


def _told(said: Mapping[str, Any], each: _Labelled) -> tuple[Any, ...]:
    """What can be compared: the team only where people were asked for it."""
    return frozenset(said.get("topics", ())), said.get("team") if "team" in each.label else None
