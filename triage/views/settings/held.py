"""Settings: what was held back on arrival, to be let in if it is feedback after all."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from feedback_portal.accounts.permissions import require_set_up
from feedback_portal.api import after, cursor_of
from intake import receiving
from intake.models import Submission
from triage.views.answering import done
from triage.views.settings.shell import PLACES

PAGE = 50
LONGEST = 500
_ORDER = ("-received_at", "-id")


@login_required
@require_GET
def held(request: HttpRequest) -> HttpResponse:
    require_set_up(request)
    rows = after(Submission.objects.quarantined(), order=_ORDER, cursor=request.GET.get("after", ""))
    found = list(rows.select_related("channel").defer("headers", "conflicting_payload").order_by(*_ORDER)[: PAGE + 1])
    here = reverse("triage:held")
    context = {
        "rows": [
            {"submission": row, "words": bytes(row.payload)[: 4 * LONGEST].decode("utf-8", "replace")[:LONGEST]}
            for row in found[:PAGE]
        ],
        "next_url": f"{here}?after={cursor_of(found[PAGE - 1], order=_ORDER)}" if len(found) > PAGE else "",
        "kept_days": receiving.QUARANTINE_KEPT.days,
        "places": PLACES,
    }
    return render(request, "triage/settings/held.html", context)


@login_required
@require_POST
def release(request: HttpRequest, number: int) -> HttpResponse:
    require_set_up(request)
    submission = get_object_or_404(Submission.objects.defer("payload"), pk=number)
    if receiving.release(submission):
        return done(
            request,
            gettext("%(reference)s is let in, and is triaged like everything else.")
            % {"reference": submission.reference},
            "triage:held",
        )
    return done(
        request, gettext("%(reference)s was let in already.") % {"reference": submission.reference}, "triage:held"
    )
