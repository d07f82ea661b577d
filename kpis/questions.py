"""Which numbers somebody asks for: a period and a slice, within what they may see, as an address that can be shared."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TypeVar
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext, ngettext

from feedback_portal.accounts.models import Stage, Team
from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotAllowed, NotFound
from feedback_portal.registry import UnknownSlug
from intake.models import Channel
from kpis.charts import written
from kpis.definitions import definitions
from kpis.definitions.base import Kpi, Side
from kpis.facts import Slice
from kpis.periods import Period, as_of_asked
from kpis.recording import DIMENSIONS, Dimension, reporting_zone

SIDES: tuple[Side, ...] = ("numerator", "denominator")
FILTERS = ("from", "to", *DIMENSIONS, "against")

Named = TypeVar("Named", Team, Channel, Stage)


@dataclass(frozen=True)
class Question:
    """What an address asks. `teams` are those the asker may ask about; who does not see every team asks about one."""

    actor: Actor
    period: Period
    at: datetime
    as_of: datetime
    teams: tuple[Team, ...]
    channels: tuple[Channel, ...]
    stages: tuple[Stage, ...]
    team: Team | None
    channel: Channel | None
    stage: Stage | None
    against: str
    """What it is compared with: "" the period before, "year" the same weeks of last year, or the name of another team."""
    asked: Mapping[str, str]
    """The filters as they stand in the address, for links that change one of them."""

    @cached_property
    def slice(self) -> Slice:
        return Slice(*(each.pk if each else None for each in (self.team, self.channel, self.stage)))

    @property
    def other_team(self) -> Team | None:
        """The team it is compared with."""
        return next((team for team in self.teams if f"team:{team.slug}" == self.against), None)

    @property
    def before(self) -> Period:
        """The period it is compared with."""
        if self.other_team is not None:
            return self.period
        return self.period.a_year_earlier() if self.against == "year" else self.period.previous()

    @property
    def against_words(self) -> str:
        if self.other_team is not None:
            return self.other_team.name
        if self.against == "year":
            return gettext("the same weeks of last year")
        count = self.period.day_count
        return ngettext("the day before", "the %(count)s days before", count) % {"count": written(count)}

    @property
    def comparisons(self) -> list[tuple[str, str]]:
        """(value, words) of what it may be compared with."""
        others = [(f"team:{team.slug}", team.name) for team in self.teams if team != self.team]
        return [("", gettext("the days before")), ("year", gettext("the same weeks of last year")), *others]

    def among(self, by: Dimension) -> tuple[Team, ...] | tuple[Channel, ...] | tuple[Stage, ...]:
        """The groups of a split, without those that the filters leave empty."""
        chosen: dict[Dimension, tuple[Team | Channel | Stage | None, tuple[Team | Channel | Stage, ...]]] = {
            "team": (self.team, self.teams),
            "channel": (self.channel, self.channels),
            "stage": (self.stage, self.stages),
        }
        one, every = chosen[by]
        return (one,) if one else every  # type: ignore[return-value]

    def query(self, **changes: str | None) -> str:
        """The filters with some changed, or with `None` taken away."""
        wanted = {**self.asked, **changes}
        return urlencode({name: value for name, value in wanted.items() if value})

    def page_url(self, kpi: Kpi, **changes: str | None) -> str:
        return _address(reverse("kpis:kpi", args=[kpi.slug]), self.query(**changes))

    def items_url(self, kpi: Kpi, side: Side, *, period: Period | None = None, **changes: str | None) -> str:
        """The list of exactly the items counted, as of the moment they were counted."""
        days = (period or self.period).query
        moment = self.as_of.astimezone(UTC).isoformat().replace("+00:00", "Z")
        query = self.query(**{"from": days["from"], "to": days["to"], **changes})
        return _address(reverse("kpis:items", args=[kpi.slug]), f"side={side}&{query}&{urlencode({'as_of': moment})}")


_NONE_SUCH = {
    "team": marked("There is no team of this name, or you may not see it. Take `team` out of the address."),
    "channel": marked("There is no channel of this name, or you may not see it. Take `channel` out of the address."),
    "stage": marked("There is no stage of this name, or you may not see it. Take `stage` out of the address."),
}


def ask(query: Mapping[str, str], *, actor: Actor, at: datetime, looks_back: bool = False) -> Question:
    """The question of an address. Another team's slug is as unknown as one that does not exist.

    With `looks_back` it may ask for what was known at an earlier moment. Raises NotAllowed, NotFound, PeriodRefused.
    """
    if not actor.may_steer:
        raise NotAllowed(
            gettext(
                "KPIs are shown to leads, managers and administrators. Ask an administrator if you need to see them."
            )
        )
    zone = reporting_zone()
    teams = Team.objects.order_by("name", "pk")
    visible = tuple(teams if actor.sees_everything else teams.filter(pk__in=actor.team_ids))
    channels = tuple(Channel.objects.order_by("name", "pk"))
    stages = tuple(Stage.objects.order_by("position", "pk"))
    team = _named(query, "team", visible)
    if team is None and not actor.sees_everything:
        if not visible:
            raise NotAllowed(gettext("You lead no team yet. Ask an administrator to make you a member of yours."))
        team = visible[0]
    return Question(
        actor=actor,
        period=Period.asked(query, zone=zone, at=at),
        at=at,
        as_of=as_of_asked(query, zone=zone, at=at) if looks_back else at,
        teams=visible,
        channels=channels,
        stages=stages,
        team=team,
        channel=_named(query, "channel", channels),
        stage=_named(query, "stage", stages),
        against=_against(query, visible),
        asked={name: query[name].strip() for name in FILTERS if query.get(name, "").strip()},
    )


def _against(query: Mapping[str, str], visible: tuple[Team, ...]) -> str:
    text = query.get("against", "").strip()
    if text in {"", "year", *(f"team:{team.slug}" for team in visible)}:
        return text
    message = gettext(
        "Compare with nothing said for the days before, `year`, or `team:` and the name of a team you may see."
    )
    raise BadInput(message, errors=(InputError("against", message),))


def kpi_called(slug: str) -> Kpi:
    try:
        return definitions.get(slug)
    except UnknownSlug:
        known = ", ".join(kpi.slug for kpi in in_order())
        raise NotFound(gettext("There is no KPI of this name. Choose one of %(known)s.") % {"known": known}) from None


def in_order() -> list[Kpi]:
    """Every KPI, in the order of the dashboard."""
    return sorted(definitions.all(), key=lambda kpi: (kpi.position, kpi.slug))


def side_asked(query: Mapping[str, str], kpi: Kpi) -> Side:
    text = query.get("side", "").strip() or "denominator"
    if text in kpi.sides:
        return text
    message = gettext("Write `side` as one of %(known)s.") % {"known": ", ".join(kpi.sides)}
    raise BadInput(message, errors=(InputError("side", message),))


def _named(query: Mapping[str, str], name: str, known: tuple[Named, ...]) -> Named | None:
    slug = query.get(name, "").strip()
    if not slug:
        return None
    for each in known:
        if each.slug == slug:
            return each
    raise NotFound(gettext(_NONE_SUCH[name]))


def _address(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path
