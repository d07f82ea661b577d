"""Settings: looking again at the open tickets after a rule, a topic or a model changed; what would move, and what did."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from feedback_portal.accounts.permissions import actor_of, require_set_up, set_up_page
from feedback_portal.languages import said
from triage import reevaluating
from triage.models import Reevaluation
from triage.views.answering import done
from triage.views.settings.shell import PLACES

_MOST_RUNS = 20
_MOST_MOVES = 30


@set_up_page
def reevaluation(request: HttpRequest) -> HttpResponse:
    """What would move now, and the runs so far."""
    actor, at = actor_of(request), timezone.now()
    if request.method == "POST":
        reevaluating.start(by=actor, at=at)
        return done(
            request,
            gettext("The open tickets are looked at again. This page says how far it is."),
            "triage:reevaluation",
        )
    found = reevaluating.preview(at=at)
    newest = Reevaluation.objects.select_related("asked_by", "undone_by").order_by("-asked_at", "-pk")
    runs = list(newest[:_MOST_RUNS])
    far = reevaluating.progress(runs)
    context = {
        "preview": found,
        "moves": [(here, there, count) for (here, there), count in found.moves.items()][:_MOST_MOVES],
        "because": said(reevaluating.changed_since_last()),
        "runs": [{"run": run, "progress": far[run.pk]} for run in runs],
        "places": PLACES,
    }
    return render(request, "triage/settings/reevaluation.html", context)


@login_required
@require_POST
def undo(request: HttpRequest, number: int) -> HttpResponse:
    require_set_up(request)
    run = get_object_or_404(Reevaluation, pk=number)
    reevaluating.undo(run, by=actor_of(request), at=timezone.now())
    return done(
        request, gettext("What it moved is put back, but for what somebody has touched since."), "triage:reevaluation"
    )
