"""Whom a ticket can be given to, as the sheets show it: the teams and people, and how much they carry."""

from datetime import datetime
from typing import Any

from feedback_portal.accounts.models import Team
from feedback_portal.languages import in_a_line
from triage.lifecycle import WhyRouted
from triage.models import Ticket
from triage.routing.workload import Crew, Person, open_by_team


def choices(verb: str, found: Ticket, *, at: datetime) -> dict[str, Any]:
    """The context of `route.html`, `split.html` or `assign.html`."""
    return _people(found, at) if verb == "assign" else _teams(verb, found, at)


def _teams(verb: str, found: Ticket, at: datetime) -> dict[str, Any]:
    teams = list(Team.objects.filter(is_active=True).order_by("name").select_related("stage"))
    if verb == "split":
        taken = set(Ticket.objects.filter(item=found.item_id).values_list("team_id", flat=True))
        teams = [team for team in teams if team.pk not in taken]
    crew, carried = Crew.load(at=at), open_by_team([team.pk for team in teams])
    proposed = found.explanation.get("model", {}).get("teams", [])[:1] if verb == "route" else []
    suggested = {slug for slug, _ in proposed} if found.explanation.get("by") == "catch_all" else {found.team.slug}
    return {
        "teams": [
            {
                "slug": team.slug,
                "name": team.name,
                "detail": in_a_line(team.stage, crew.told(team, open_tickets=carried.get(team.pk, 0))),
                "is_suggested": verb == "route" and team.slug in suggested,
            }
            for team in teams
        ],
        "reasons": WhyRouted.choices,
    }


def _people(found: Ticket, at: datetime) -> dict[str, Any]:
    crew = Crew.load(at=at, teams=[found.team_id])
    best = crew.least_loaded(found.team_id)
    return {
        "team": found.team.name,
        "people": [_told(person, best.person, found) for person in crew.of(found.team_id)],
        "proposal": best.reason,
    }


def _told(person: Person, best: Person | None, found: Ticket) -> dict[str, Any]:
    return {
        "email": person.email,
        "name": person.name,
        "detail": person.detail,
        "is_suggested": best is not None and person.pk == best.pk,
        "is_here": person.pk == found.assignee_id,
    }
