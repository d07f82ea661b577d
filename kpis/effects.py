"""Did it work: what an action should have moved, counted by week before and after it took effect, and the verdict written down.

What was said before the change is no evidence on it, however late it reached us: items count by the customer's clock, or ours where
that is earlier. Spam, tests and copies of what was said before are left out on both sides of a share.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Least
from django.utils import timezone

from intake.exposures import KINDS
from intake.models import FeedbackItem
from kpis.statistics import benjamini_hochberg
from kpis.statistics.before_after import Found, Week
from kpis.verdicts import (
    FALSE_DISCOVERIES,
    FEWEST_WEEKS,
    Hope,
    Outcome,
    compare,
    nothing_said,
    outcome_of,
    sentence,
    too_early,
    too_little,
)
from triage.improving import checking
from triage.lifecycle import Resolution
from triage.models import Action, Expectation, Theme, Ticket, Verdict, Wording

MOST_WEEKS = 26
"""On each side: what lies further away says little about this action."""
TRIGGER = timedelta(days=14)
"""Before an action was planned: the high weeks that made somebody plan it. They fall by themselves (regression to the mean), so they
are in no baseline."""
STILL_JUDGED = timedelta(weeks=60)
"""After its effect began; then the last verdict stands."""
MOST_JUDGED = 500
_WEEK = timedelta(weeks=1)

_SAID = """
WITH subject AS (
    SELECT * FROM unnest(%(places)s::int[], %(themes)s::bigint[], %(topics)s::bigint[], %(segments)s::text[], %(products)s::text[],
        %(since)s::timestamptz[]) AS given(place, theme, topic, segment, product, since)
)
SELECT subject.place, (least(item.submitted_at, item.received_at) AT TIME ZONE %(zone)s)::date AS day, count(*)
FROM subject
JOIN LATERAL (
    SELECT member.item_id FROM triage_thememember AS member WHERE member.theme_id = subject.theme
    UNION ALL
    SELECT tagging.item_id FROM triage_tagging AS tagging WHERE tagging.topic_id = subject.topic AND tagging.removed_at IS NULL
    UNION ALL
    SELECT every.submission_id FROM intake_feedbackitem AS every
    WHERE subject.theme IS NULL AND subject.topic IS NULL AND every.received_at >= subject.since
) AS said ON true
JOIN intake_feedbackitem AS item ON item.submission_id = said.item_id
LEFT JOIN intake_customer AS customer ON customer.id = item.customer_id
LEFT JOIN intake_account AS account ON account.id = customer.account_id
LEFT JOIN triage_wording AS wording ON wording.item_id = item.submission_id
WHERE item.received_at >= subject.since AND item.received_at <= %(at)s AND least(item.submitted_at, item.received_at) >= subject.since
    AND NOT item.is_test AND wording.copy_of_id IS NULL
    AND (subject.segment = '' OR lower(account.segment) = lower(subject.segment))
    AND (subject.product = '' OR lower(item.product) = lower(subject.product))
    AND EXISTS (SELECT 1 FROM triage_ticket AS ticket WHERE ticket.item_id = item.submission_id AND ticket.resolution <> 'spam')
GROUP BY 1, 2
"""
_EXPOSED = """
SELECT given.place, exposure.product = '' AS is_whole, exposure.site = '' AS is_everywhere, exposure.day, sum(exposure.count)
FROM unnest(%(places)s::int[], %(kinds)s::text[], %(products)s::text[], %(since)s::date[]) AS given(place, kind, product, since)
JOIN intake_exposure AS exposure ON exposure.kind = given.kind AND exposure.day >= given.since AND exposure.day <= %(today)s
    AND (given.product = '' OR lower(exposure.product) = lower(given.product))
GROUP BY 1, 2, 3, 4
"""

Side = Literal["before", "after"]
Days = Mapping[date, int]


@dataclass(frozen=True)
class _Subject:
    """What is counted by day: a theme, a topic, or with neither everything that was said, of a segment and product."""

    theme: int | None
    topic: int | None
    segment: str
    product: str


@dataclass(frozen=True)
class _Span:
    """The weeks of one action, by the first day of each."""

    action: Action
    expectation: Expectation
    effective: date
    before: tuple[date, ...]
    after: tuple[date, ...]

    @property
    def since(self) -> date:
        return min((*self.before, self.effective))


def judge(*, at: datetime) -> int:
    """Look at every action whose effect is being checked; how many outcomes are news. Doing it twice changes nothing more."""
    today = timezone.localtime(at, timezone.get_default_timezone()).date()
    checked = Expectation.objects.filter(
        action__step__in=[Action.Step.CHECK, Action.Step.ACT],
        action__withdrawn_at=None,
        action__effective_from__lte=today,
        action__effective_from__gte=today - STILL_JUDGED,
    ).exclude(theme=None, topic=None)
    rows = checked.select_related("action", "theme", "topic", "control").order_by("-action_id")[:MOST_JUDGED]
    spans = [_span(each, today) for each in rows]
    return checking.record(_judged(spans, at=at, today=today)) if spans else 0


def items_behind(
    action: Action, finding: Verdict, side: Side | None = None, week: date | None = None
) -> QuerySet[FeedbackItem]:
    """Exactly the items that the verdict counted on one side, or in one week of either, newest first; each with `said_at`."""
    expectation = action.expectation
    ranges = Q(pk__in=[])
    for first, _, _, on in finding.data.get("weeks", []):
        day = date.fromisoformat(first)
        if on == (side or on) and day == (week or day):
            ranges |= Q(said_at__gte=_midnight(day), said_at__lt=_midnight(day + _WEEK))
    real = Ticket.objects.filter(item=OuterRef("pk")).exclude(resolution=Resolution.SPAM)
    items = FeedbackItem.objects.filter(Exists(real), is_test=False, received_at__lte=finding.judged_at)
    items = items.filter(~Exists(Wording.objects.filter(item=OuterRef("pk"), copy_of__isnull=False)))
    if expectation.theme is not None:
        items = items.filter(theme_member__theme=_living(expectation.theme))
    else:
        items = items.filter(taggings__topic=expectation.topic, taggings__removed_at=None)
    if expectation.segment:
        items = items.filter(customer__account__segment__iexact=expectation.segment)
    if expectation.product:
        items = items.filter(product__iexact=expectation.product)
    return items.annotate(said_at=Least("submitted_at", "received_at")).filter(ranges).order_by("-said_at", "-pk")


def _judged(spans: Sequence[_Span], *, at: datetime, today: date) -> list[Verdict]:
    subjects = _subjects(spans)
    said = _said(subjects, at=at)
    exposed = _exposed(spans, today=today)
    began = _first_days(said)
    found: list[tuple[_Span, Hope, list[Week], list[Week], Found | None]] = []
    for span in spans:
        expectation = span.expectation
        hope = _hope(expectation)
        subject = _subject_of(expectation)
        everything = _Subject(None, None, expectation.segment, expectation.product)
        sizes = exposed.get(span.action.pk, {}) if hope.measure == "rate" else said[everything]
        first = began.get(everything)
        if hope.measure == "rate" and first is not None:
            first = max(first, min(sizes, default=first))
        before = _weeks(span, span.before, said[subject], sizes, first)
        after = _weeks(span, span.after, said[subject], sizes, first)
        control = None
        if expectation.control is not None:
            beside = said[_Subject(_living(expectation.control), None, expectation.segment, expectation.product)]
            control = _weeks(span, span.before, beside, sizes, first), _weeks(span, span.after, beside, sizes, first)
        enough = min(len(before), len(after)) >= FEWEST_WEEKS
        found.append(
            (span, hope, before, after, compare(before, after, hope=hope, control=control) if enough else None)
        )
    told = [each for *_, each in found if each is not None]
    adjusted = iter(benjamini_hochberg([each.p for each in told], FALSE_DISCOVERIES)["adjusted"])
    return [
        _verdict(
            span,
            hope,
            before,
            after,
            each,
            adjusted=next(adjusted) if each is not None else 1.0,
            among=len(told),
            at=at,
        )
        for span, hope, before, after, each in found
    ]


def _verdict(
    span: _Span,
    hope: Hope,
    before: list[Week],
    after: list[Week],
    found: Found | None,
    *,
    adjusted: float,
    among: int,
    at: datetime,
) -> Verdict:
    weeks = [
        (span.effective + timedelta(days=round(7 * week.time)), week, side)
        for side, weeks_of in (("before", before), ("after", after))
        for week in weeks_of
    ]
    lag = timedelta(days=span.expectation.lag_days)
    data: dict[str, Any] = {
        "weeks": [
            [(day if side == "before" else day + lag).isoformat(), week.count, week.size, side]
            for day, week, side in weeks
        ],
        "per": hope.per,
        "measure": hope.measure,
    }
    row = Verdict(action=span.action, method="", unit="", data=data, judged_at=at)
    if found is None:
        first_verdict = span.effective + lag + FEWEST_WEEKS * _WEEK
        row.sentence = (
            too_early(after, effective=span.effective, first_verdict=first_verdict)
            if len(after) < FEWEST_WEEKS
            else too_little(before)
            if len(before) < FEWEST_WEEKS
            else nothing_said()
        )
        return row
    alone = outcome_of(found, hope)
    outcome: Outcome = alone if adjusted <= FALSE_DISCOVERIES else "unclear"
    row.outcome, row.alone, row.method, row.unit = outcome, alone, found.method, found.unit
    row.estimate, row.low, row.high, row.detectable, row.p = (
        found.estimate, found.low, found.high, found.detectable, found.p,
    )  # fmt: skip
    row.sentence = sentence(before, after, found, outcome=outcome, alone=alone, hope=hope, among=among)
    row.data |= {"adjusted": adjusted, "among": among}
    return row


def _span(expectation: Expectation, today: date) -> _Span:
    action = expectation.action
    effective = action.effective_from
    assert effective is not None
    planned = timezone.localtime(action.created_at, timezone.get_default_timezone()).date()
    before = tuple(
        first
        for back in range(MOST_WEEKS + 4, 0, -1)
        if (first := effective - back * _WEEK) + _WEEK <= planned - TRIGGER or first > planned
    )[-MOST_WEEKS:]
    begins = effective + timedelta(days=expectation.lag_days)
    after = tuple(first for on in range(MOST_WEEKS) if (first := begins + on * _WEEK) + _WEEK <= today)
    return _Span(action, expectation, effective, before, after)


def _weeks(span: _Span, firsts: Iterable[date], counts: Days, sizes: Days, began: date | None) -> list[Week]:
    """Those with something to count against; nothing before the first day that is known at all."""
    lag = span.expectation.lag_days
    weeks = []
    for first in firsts:
        size = sum(sizes.get(first + timedelta(days=day), 0) for day in range(7))
        if size and began is not None and first >= began:
            count = sum(counts.get(first + timedelta(days=day), 0) for day in range(7))
            # Time without the lag: whole weeks on both sides of the effect.
            days = (first - span.effective).days
            weeks.append(Week((days if days < 0 else days - lag) / 7, count, float(size)))
    return weeks


def _hope(expectation: Expectation) -> Hope:
    return Hope(
        measure="share" if expectation.measure == Expectation.Measure.SHARE else "rate",
        direction="down" if expectation.direction == Expectation.Direction.DOWN else "up",
        shape="step" if expectation.shape == Expectation.Shape.STEP else "slope",
        by_percent=expectation.by_percent,
        per=KINDS.get(expectation.exposure, expectation.exposure).lower(),
        control=expectation.control.reference if expectation.control else "",
    )


def _living(theme: Theme) -> int:
    return theme.joined_into_id or theme.pk


def _subject_of(expectation: Expectation) -> _Subject:
    theme = _living(expectation.theme) if expectation.theme else None
    return _Subject(theme, expectation.topic_id if theme is None else None, expectation.segment, expectation.product)


def _subjects(spans: Sequence[_Span]) -> dict[_Subject, date]:
    """All that must be counted, each from the earliest day that any action asks for."""
    since: dict[_Subject, date] = {}
    for span in spans:
        expectation = span.expectation
        wanted = [_subject_of(expectation), _Subject(None, None, expectation.segment, expectation.product)]
        if expectation.control is not None:
            wanted.append(_Subject(_living(expectation.control), None, expectation.segment, expectation.product))
        for each in wanted:
            since[each] = min(since.get(each, span.since), span.since)
    return since


def _said(subjects: Mapping[_Subject, date], *, at: datetime) -> dict[_Subject, dict[date, int]]:
    counts: dict[_Subject, dict[date, int]] = {each: {} for each in subjects}
    ordered = list(subjects)
    with connection.cursor() as cursor:
        cursor.execute(
            _SAID,
            {
                "places": list(range(len(ordered))),
                "themes": [each.theme for each in ordered],
                "topics": [each.topic for each in ordered],
                "segments": [each.segment for each in ordered],
                "products": [each.product for each in ordered],
                "since": [_midnight(subjects[each]) for each in ordered],
                "zone": timezone.get_default_timezone_name(),
                "at": at,
            },
        )
        for place, day, count in cursor.fetchall():
            counts[ordered[place]][day] = count
    return counts


def _first_days(said: Mapping[_Subject, Days]) -> dict[_Subject, date]:
    """Since when anything is known of each population: before the first item nobody listened yet, but for what was imported."""
    first = FeedbackItem.objects.order_by("received_at").values_list("received_at", flat=True).first()
    if first is None:
        return {}
    began = timezone.localtime(first, timezone.get_default_timezone()).date()
    return {
        each: min(began, *days) for each, days in said.items() if each.theme is None and each.topic is None and days
    }


def _exposed(spans: Sequence[_Span], *, today: date) -> dict[int, dict[date, int]]:
    """What rates are taken per, by action and day; a total that was told is preferred to a sum of its parts."""
    rates = [span for span in spans if span.expectation.measure == Expectation.Measure.RATE]
    if not rates:
        return {}
    found: dict[int, dict[tuple[bool, bool], dict[date, int]]] = defaultdict(lambda: defaultdict(dict))
    with connection.cursor() as cursor:
        cursor.execute(
            _EXPOSED,
            {
                "places": list(range(len(rates))),
                "kinds": [span.expectation.exposure for span in rates],
                "products": [span.expectation.product for span in rates],
                "since": [span.since for span in rates],
                "today": today,
            },
        )
        for place, is_whole, is_everywhere, day, count in cursor.fetchall():
            found[place][is_whole, is_everywhere][day] = int(count)
    best = ((True, True), (False, True), (True, False), (False, False))
    return {
        rates[place].action.pk: next((kinds[kind] for kind in best if kind in kinds), {})
        for place, kinds in found.items()
    }


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=timezone.get_default_timezone())
