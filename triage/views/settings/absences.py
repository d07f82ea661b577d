"""Settings: who is away and who stands in; one's own, and for leads their teams'."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from feedback_portal.accounts.permissions import actor_of
from triage.routing import absences
from triage.views.answering import done
from triage.views.settings.shell import given, show

_FIELDS = ("person", "first_day", "last_day", "stand_in")


@login_required
@require_http_methods(["GET", "POST"])
def all_absences(request: HttpRequest) -> HttpResponse:
    actor, today = actor_of(request), timezone.localdate(timezone=timezone.get_default_timezone())
    context = {
        "absences": absences.absences_of(actor, today=today),
        "people": absences.people_of(actor),
        "colleagues": absences.colleagues_of(actor),
        "today": today,
    }
    mine = actor.user.email if actor.user else ""
    stored = dict.fromkeys(_FIELDS, "") | {"person": mine, "first_day": today.isoformat()}

    def save() -> str:
        entered = absences.enter(given(request, *_FIELDS), by=actor, today=today)
        if entered.stand_in:
            said = gettext("%(person)s is away, and %(stand_in)s gets what would be theirs.")
            return said % {"person": entered.person, "stand_in": entered.stand_in}
        return gettext("%(person)s is away, and their team gets it.") % {"person": entered.person}

    return show(request, "absences", context, stored=stored, save=save, to="triage:absences")


@login_required
@require_POST
def remove(request: HttpRequest, number: int) -> HttpResponse:
    absence = absences.remove(number, by=actor_of(request))
    return done(request, gettext("%(person)s is here.") % {"person": absence.person}, "triage:absences")
