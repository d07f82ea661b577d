"""Settings: the channels whose source is asked, how that goes, and the buttons that ask now or start again."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from feedback_portal.accounts.permissions import require_set_up
from intake import polling
from intake.models import Channel


@login_required
@require_GET
def polls(request: HttpRequest) -> HttpResponse:
    require_set_up(request)
    return render(request, "intake/channels/polls.html", {"standings": polling.standings(at=timezone.now())})


@login_required
@require_POST
def ask_now(request: HttpRequest, slug: str) -> HttpResponse:
    require_set_up(request)
    channel = get_object_or_404(Channel, slug=slug)
    polling.ask_now(channel)
    messages.success(
        request,
        gettext("%(name)s is asked now. Reload the page in a moment to see what came.") % {"name": channel.name},
    )
    return redirect("intake:polls")
