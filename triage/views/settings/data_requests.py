"""Settings: one person's data, to be found, given out, corrected and erased; and what was done so far."""

import tempfile
from typing import IO

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from feedback_portal.accounts.permissions import actor_of, require_set_up, set_up_page
from feedback_portal.refusals import NotAllowed, NotFound
from intake.models import Customer, DataRequest
from triage import persons
from triage.persons import person_export
from triage.views.settings.shell import PLACES, given, show

_LATEST = 100
_IN_MEMORY = 8 * 1024 * 1024


@set_up_page
def data_requests(request: HttpRequest) -> HttpResponse:
    """POST looks somebody up: an address belongs in no address line and no log."""
    word, found, missing = "", [], ""
    if request.method == "POST":
        word = request.POST.get("word", "")
        try:
            found = persons.find(word)
        except NotFound as refused:
            missing = refused.message
        if len(found) == 1:
            return redirect("triage:customer", found[0].pk)
    done = DataRequest.objects.select_related("person", "customer").order_by("-id")[:_LATEST]
    context = {"word": word, "found": found, "missing": missing, "done": done, "places": PLACES}
    return render(request, "triage/settings/data_requests.html", context, status=404 if missing else 200)


@set_up_page
def customer(request: HttpRequest, number: int) -> HttpResponse:
    """One person, and a form that corrects what is known of them."""
    found = get_object_or_404(Customer.objects.select_related("account"), pk=number)
    stored = {name: getattr(found, name) for name in persons.RECTIFIABLE}
    same = Customer.objects.filter(email__iexact=found.email).exclude(pk=found.pk) if found.email else ()
    context = {
        "customer": found,
        "items": persons.submissions_of([found]).count(),
        "same": same,
        "requests": found.data_requests.select_related("person").order_by("-id")[:_LATEST],
        "kept": persons.KEPT,
    }

    def save() -> str:
        by = actor_of(request).user
        changed = persons.rectify(found, given(request, *persons.RECTIFIABLE), by=by, at=timezone.now())
        return (
            gettext("Corrected: %(fields)s.") % {"fields": ", ".join(changed)}
            if changed
            else gettext("Nothing was different, so nothing changed.")
        )

    return show(request, "customer", context, stored=stored, save=save, to="triage:data_requests")


@login_required
@require_POST
def export(request: HttpRequest, number: int) -> FileResponse:
    require_set_up(request)
    found = get_object_or_404(Customer, pk=number)
    # Large ones lie in a file without a name, which is gone once it was sent.
    archive: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 -- the answer closes it
    person_export.export([found], archive, by=actor_of(request).user, at=timezone.now())
    archive.seek(0)
    response = FileResponse(archive, as_attachment=True, filename=f"customer-{found.pk}.zip")
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_POST
def erase(request: HttpRequest, number: int) -> HttpResponse:
    """Only with the box ticked, for nothing brings them back."""
    require_set_up(request)
    found = get_object_or_404(Customer, pk=number)
    if "is_sure" not in request.POST:
        raise NotAllowed(gettext("Go back and tick that you are sure. What is erased cannot be brought back."))
    erased = persons.erase([found], by=actor_of(request).user, at=timezone.now())
    context = {"erased": erased, "places": PLACES}
    return render(request, "triage/settings/customer_erased.html", context)
