"""Which items of a week are labelled by people: a random sample, drawn within strata and repeatable by its seed.

The strata are who placed an item (a rule, the learned router, its topic, nobody, or what sends spam out of the way), for they
are wrong in different ways and some are rare. The larger a stratum, the more is drawn of it, by the square root of its size,
so that rare ones are seen at all; whoever counts weighs each item by how many it stands for.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db import IntegrityError, connection, transaction
from django.utils.timezone import get_default_timezone, localtime

from triage.models import Analysis, Audit, AuditedItem, Event, Tagging
from triage.proposals import Kind

USUAL_SIZE = 50
LARGEST = 500
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class _Lot:
    item: int
    stratum: str
    team: str
    arrived: int
    place: int


def last_week(at: datetime) -> date:
    """The Monday of the week before this one."""
    today = localtime(at, get_default_timezone()).date()
    return today - timedelta(days=today.weekday() + 7)


def draw(first_day: date, *, seed: int, size: int, at: datetime) -> Audit | None:
    """Draw the sample of the week that begins on this day; the one there is, if it was drawn before; None if nothing came."""
    known = Audit.objects.filter(first_day=first_day).first()
    if known is not None or size < 1:
        return known
    lots = _lots(first_day, seed=seed, most=min(size, LARGEST))
    arrived = {lot.stratum: lot.arrived for lot in lots}
    drawn = allot(arrived, min(size, LARGEST))
    chosen = [lot for lot in lots if lot.place <= drawn[lot.stratum]]
    if not chosen:
        return None
    said = _said([lot.item for lot in chosen])
    try:
        with transaction.atomic():
            audit = Audit.objects.create(
                first_day=first_day,
                seed=seed,
                sentiments=_sentiments(first_day),
                strata={name: {"arrived": arrived[name], "drawn": drawn[name]} for name in sorted(arrived)},
                drawn_at=at,
            )
            # In the order of the lots, so that nobody can tell the stratum by what comes before and after.
            AuditedItem.objects.bulk_create(
                AuditedItem(
                    audit=audit, item_id=lot.item, stratum=lot.stratum, machine={"team": lot.team, **said[lot.item]}
                )
                for lot in chosen
            )
    except IntegrityError:
        return Audit.objects.get(first_day=first_day)  # drawn by somebody else in this moment
    return audit


def allot(arrived: Mapping[str, int], size: int) -> dict[str, int]:
    """How many to draw of each stratum, by the square root of its size and at most all of it (method of D'Hondt)."""
    drawn = dict.fromkeys(arrived, 0)
    for _ in range(min(size, sum(arrived.values()))):
        free = [name for name in arrived if drawn[name] < arrived[name]]
        drawn[max(free, key=lambda name: (arrived[name] ** 0.5 / (drawn[name] + 1), name))] += 1
    return drawn


def _lots(first_day: date, *, seed: int, most: int) -> Sequence[_Lot]:
    with connection.cursor() as cursor:
        cursor.execute(_LOTS, {**_week(first_day), "seed": str(seed), "most": most})
        return [_Lot(*row) for row in cursor.fetchall()]


def _sentiments(first_day: date) -> dict[str, dict[str, int]]:
    """How many items of the week sounded how, by language."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(_SENTIMENTS, _week(first_day))
        for language, sentiment, count in cursor.fetchall():
            found[language][sentiment] = count
    return found


def _week(first_day: date) -> dict[str, datetime]:
    zone = get_default_timezone()
    since, until = (datetime.combine(day, time.min, tzinfo=zone) for day in (first_day, first_day + WEEK))
    return {"since": since, "until": until}


def _said(items: Sequence[int]) -> dict[int, dict[str, object]]:
    """The portal's own tags and sentiment of these items, whatever people made of them since."""
    topics: dict[int, set[str]] = defaultdict(set)
    made = Tagging.objects.filter(item__in=items, source__in=[Tagging.Source.MODEL, Tagging.Source.RULE])
    for item, slug in made.values_list("item", "topic__slug"):
        topics[item].add(slug)
    # A tag that a person confirmed is theirs now; their event says that the model had put it there.
    confirmed = Event.objects.filter(item__in=items, type=Event.Type.TAGGED).exclude(data__answers=None)
    for item, answers in confirmed.values_list("item", "data__answers"):
        topics[item] |= {answer["of"] for answer in answers if answer["kind"] == Kind.TOPIC}
    sentiments = dict(Analysis.objects.filter(item__in=items).values_list("item", "sentiment"))
    return {item: {"topics": sorted(topics[item]), "sentiment": sentiments.get(item, "none")} for item in items}


_ARRIVED = """
    intake_feedbackitem f JOIN intake_submission s ON s.id = f.submission_id AND s.gone_at IS NULL
        AND f.received_at >= %(since)s AND f.received_at < %(until)s AND NOT f.is_test AND (f.text <> '' OR f.title <> '')
"""

_SENTIMENTS = f"""
SELECT a.language, a.sentiment, count(*) FROM {_ARRIVED} JOIN triage_analysis a ON a.item_id = f.submission_id GROUP BY 1, 2
"""

_LOTS = f"""
WITH placed AS (
    SELECT DISTINCT ON (e.item_id) e.item_id AS item, coalesce(e.data->>'by', '') AS stratum, e.data->>'team' AS team
    FROM {_ARRIVED}
        JOIN triage_event e ON e.item_id = f.submission_id AND e.type = 'routed' AND e.source IN ('rule', 'model', 'system')
    ORDER BY e.item_id, e.id DESC
), lots AS (
    SELECT *, md5(%(seed)s || ' ' || item) AS lot, count(*) OVER (PARTITION BY stratum) AS arrived FROM placed
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY stratum ORDER BY lot, item) AS place FROM lots
)
SELECT item, stratum, team, arrived, place FROM ranked WHERE place <= %(most)s ORDER BY lot, item
"""
