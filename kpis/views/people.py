"""The review sheet of one person: off by default, logged when somebody else looks, and worth nothing without their words."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from feedback_portal.accounts.permissions import actor_of
from feedback_portal.refusals import BadInput
from kpis import recording, reviews
from kpis.models import Look, Review
from kpis.periods import Period

MOST = 50


@login_required
@require_http_methods(["GET", "POST"])
def person_sheet(request: HttpRequest, number: int) -> HttpResponse:
    """GET asks a lead for a purpose first; POST shows the sheet, takes a review, or takes the person's answer to one."""
    actor, at = actor_of(request), timezone.now()
    person = reviews.find(number, by=actor)
    period = Period.asked(request.GET.dict(), zone=recording.reporting_zone(), at=at)
    is_own, sheet, error = person == actor.user, None, ""
    given = request.POST
    try:
        if "answer" in given:
            chosen = given.get("review", "")
            reviews.answer(
                int(chosen) if chosen.isdecimal() and len(chosen) < 18 else 0, words=given["answer"], by=actor, at=at
            )
            messages.success(request, gettext("Your answer stands beside the review."))
            return redirect(request.get_full_path())
        if is_own or request.method == "POST":
            sheet = reviews.look(person, purpose=given.get("purpose", ""), period=period, by=actor, at=at)
        if sheet is not None and "judgement" in given:
            reviews.judge(sheet, judgement=given["judgement"], period=period, by=actor, at=at)
            messages.success(request, gettext("The review is written. They can read and answer it."))
            return redirect(request.get_full_path())
    except BadInput as refused:
        error = refused.message
    context = {
        "person": person,
        "period": period,
        "is_own": is_own,
        "sheet": sheet,
        "error": error,
        "values": given,
        "fewest": reviews.FEWEST,
        "looks": Look.objects.filter(person=person).select_related("by").order_by("-looked_at")[:MOST],
        "reviews": Review.objects.filter(person=person).select_related("by").order_by("-written_at")[:MOST],
    }
    return render(request, "kpis/person.html", context, status=422 if error else 200)
