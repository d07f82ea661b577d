"""“You said, we did”, as a page for everybody and as a feed."""

from datetime import datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from triage.improving import changes


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "triage/changes.html", {"changes": changes.published()})


@require_safe
def feed(request: HttpRequest) -> HttpResponse:
    """Atom; an entry keeps its id whatever is said about it later."""
    address = settings.BASE_URL + reverse("triage:changes")
    found = changes.published()
    atom = Atom1Feed(
        title=gettext("What %(organisation)s changed because of feedback") % {"organisation": settings.ORGANISATION},
        link=address,
        description="",
        feed_url=settings.BASE_URL + reverse("triage:changes_feed"),
        language=settings.LANGUAGE_CODE,
    )
    for change in found:
        atom.add_item(
            title=change.title,
            link=f"{address}#change-{change.key}",
            description=f"{change.text}\n\n{change.numbers}".strip(),
            unique_id=f"{address}#change-{change.key}",
            pubdate=change.published_at,
            updateddate=change.published_at,
        )
    response = HttpResponse(content_type="application/atom+xml; charset=utf-8")
    if found:
        newest: datetime = found[0].published_at
        response["Last-Modified"] = f"{newest:%a, %d %b %Y %H:%M:%S} GMT"
    atom.write(response, "utf-8")
    return response
