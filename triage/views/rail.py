"""What stands in the rail beside every staff page: what waits where, for whoever looks."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext, ngettext

from feedback_portal.accounts.models import User
from feedback_portal.accounts.permissions import Actor, actor_of
from feedback_portal.languages import in_a_line
from intake.models import Import
from triage.desk.saved import address, shown
from triage.lifecycle import OPEN, Status
from triage.models import Action, Ticket
from triage.views.own import desk_of

MOST_COUNTED = 1000
_MOST_IMPORTS = 3


def capped(count: int) -> str:
    """A count as it is shown: exact up to a bound, for nobody needs the rest and it would cost a scan."""
    return f"{MOST_COUNTED - 1}+" if count >= MOST_COUNTED else str(count)


def _grouped(count: int) -> str:
    return number_format(count, force_grouping=True)


def context(request: HttpRequest) -> dict[str, Any]:
    """Context processor; counts only when a page with a rail asks."""
    person = getattr(request, "user", None)
    if not isinstance(person, User):
        return {}
    return {
        "desk": SimpleLazyObject(lambda: desk_of(person)),
        "rail": SimpleLazyObject(lambda: _rail(actor_of(request), request.GET)),
    }


def _rail(actor: Actor, asked: Mapping[str, str]) -> dict[str, Any]:
    query, view = asked.get("q", ""), asked.get("view", "")
    current = int(view) if view.isdecimal() and len(view) < 19 else 0
    seen = Ticket.objects.visible_to(actor)
    return {
        "counts": {
            "triage": capped(seen.undecided()[:MOST_COUNTED].count()),
            "mine": capped(seen.open().filter(assignee=actor.user)[:MOST_COUNTED].count()),
            "snoozed": capped(seen.filter(status=Status.SNOOZED)[:MOST_COUNTED].count()),
            "actions": capped(_actions(actor)[:MOST_COUNTED].count()),
        },
        "views": [
            {
                "name": view.name,
                "url": address(view),
                "count": "" if count is None else capped(count),
                "colour": view.colour,
                "is_current": view.pk == current,
            }
            for view, count in shown(by=actor, at=timezone.now())
        ],
        "imports": _imports(actor),
        "stages": [
            {
                "name": name,
                "url": "/triage/?" + urlencode({"q": f"stage:{slug} is:open"}),
                "count": capped(count),
                "colour": position % 7,
                "is_current": f"stage:{slug}" in query,
            }
            for slug, name, position, count in _stages(actor)
        ],
    }


def _imports(actor: Actor) -> list[dict[str, Any]]:
    """Files on their way in, for whoever can do something about them."""
    if not actor.may_set_up:
        return []
    running = Import.objects.filter(state__in=[Import.State.WAITING, Import.State.RUNNING]).order_by("-id")
    return [
        {
            "name": run.file_name,
            "url": reverse("intake:import", args=[run.public_id]),
            "percent": run.percent,
            "done": run.percent,
            "total": 100,
            "sentence": in_a_line(
                ngettext("%(count)s row read", "%(count)s rows read", run.read) % {"count": _grouped(run.read)},
                gettext("%(count)s new") % {"count": _grouped(run.created)},
                gettext("%(count)s could not be read") % {"count": _grouped(run.failed)},
            ),
        }
        for run in running[:_MOST_IMPORTS]
    ]


def _actions(actor: Actor) -> Any:
    open_ones = Action.objects.filter(withdrawn_at=None).exclude(step=Action.Step.ACT)
    return open_ones if actor.sees_everything else open_ones.filter(team__in=actor.team_ids)


def _stages(actor: Actor) -> list[tuple[str, str, int, int]]:
    """Open tickets of each stage, one statement, each count bounded."""
    teams = None if actor.sees_everything else sorted(actor.team_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.slug, s.name, s.position, (SELECT count(*) FROM (SELECT 1 FROM triage_ticket t WHERE t.stage_id = s.id"
            " AND t.status = ANY(%s) AND (%s::bigint[] IS NULL OR t.team_id = ANY(%s::bigint[])) LIMIT %s) counted)"
            " FROM accounts_stage s ORDER BY s.position, s.slug",
            [sorted(OPEN), teams, teams, MOST_COUNTED],
        )
        return list(cursor.fetchall())
