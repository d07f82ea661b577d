"""The mail behind an item with all its text, for whoever needs what was quoted."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from feedback_portal.accounts.permissions import actor_of
from intake.models import Submission
from intake.whole_mails import whole_mail
from triage import decisions


@login_required
@require_GET
def page(request: HttpRequest, reference: str) -> HttpResponse:
    ticket = decisions.find(reference, by=actor_of(request))
    submission = Submission.objects.select_related("channel").get(pk=ticket.item_id)
    return render(request, "triage/whole_mail.html", {"reference": ticket.reference, "mail": whole_mail(submission)})
