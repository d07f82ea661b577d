"""“You said, we did”, as a page for everybody and as a feed."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from triage.improving import changes
from triage.views.atom import Entry, atom


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "triage/changes.html", {"changes": changes.published()})


@require_safe
def feed(request: HttpRequest) -> HttpResponse:
    """Atom; an entry keeps its id whatever is said about it later."""
    address = settings.BASE_URL + reverse("triage:changes")
    entries = [
        Entry(
            title=change.title,
            address=f"{address}#change-{change.key}",
            text=f"{change.text}\n\n{change.numbers}".strip(),
            at=change.published_at,
        )
        for change in changes.published()
    ]
    title = gettext("What %(organisation)s changed because of feedback") % {"organisation": settings.ORGANISATION}
    return atom(title, address, settings.BASE_URL + reverse("triage:changes_feed"), entries)
