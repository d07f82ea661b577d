"""Settings: how long each channel's arrivals are kept as they came, and what would be emptied now."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import set_up_page
from feedback_portal.refusals import BadInput
from intake import retention as keeping
from intake.importing import FILES_KEPT
from intake.models import Channel
from intake.receiving import QUARANTINE_KEPT


@set_up_page
def retention(request: HttpRequest) -> HttpResponse:
    """Every channel with a form of its own; a POST says which by `channel`."""
    wrong: tuple[str, str] = ("", "")
    if request.method == "POST":
        slug = request.POST.get("channel", "")
        channel = get_object_or_404(Channel, slug=slug)
        try:
            keeping.set_retention(channel, days=request.POST.get("days", ""), is_held="is_held" in request.POST)
        except BadInput as refused:
            wrong = slug, refused.message
        else:
            messages.success(request, gettext("%(name)s is saved.") % {"name": channel.name})
            return redirect("intake:retention")
    context = {
        "holdings": keeping.holdings(at=timezone.now()),
        "most": keeping.MOST_COUNTED,
        "calls_kept": keeping.CALLS_KEPT.days,
        "files_kept": FILES_KEPT.days,
        "held_back_kept": QUARANTINE_KEPT.days,
        "wrong_channel": wrong[0],
        "error": wrong[1],
    }
    return render(request, "intake/retention.html", context, status=422 if wrong[1] else 200)
