"""What stands on a counter: five faces for whoever passes, and a way out for staff."""

import re
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from feedback_portal.edge import client_address
from feedback_portal.refusals import BadInput
from intake import allowances, places, surveys
from intake.form_words import words_in
from intake.kiosk_words import WORDS
from intake.models import Place
from intake.posts import posted
from intake.views.public import SeeOther

_EVENT = re.compile(r"[0-9a-f]{16,64}\Z")


@csrf_exempt  # There is no cookie that a foreign page could ride on.
@require_http_methods(["GET", "HEAD", "POST"])
def kiosk(request: HttpRequest, slug: str) -> HttpResponse:
    at = timezone.now()
    place = places.open_place(slug)
    if request.method != "POST":
        return render(request, "intake/kiosk.html", _page(request, place))
    limits = places.LIMITS
    allowances.use_one(place.form.channel, client_address(request), at=at, door=f"kiosk {place.pk}", limits=limits)
    post, _ = posted(request)
    event_id = post.get("event", "")
    if not _EVENT.match(event_id):
        raise BadInput(gettext("Open the page of the kiosk again and answer there."))
    places.take(
        place,
        event_id=event_id,
        rating=post.get("rating", ""),
        comment=post.get("comment", ""),
        language=post.get("language", ""),
        written_at=surveys.read_written_at(post.get("written-at", ""), at=at),
        at=at,
    )
    return SeeOther(_url(place, language=post.get("language", "")) + "&thanks=1")


@csrf_exempt  # As above; whoever knows the code may leave.
@require_POST
def leave(request: HttpRequest, slug: str) -> HttpResponse:
    place = places.open_place(slug)
    allowances.use_one(place.form.channel, client_address(request), at=timezone.now(), door=f"leave {place.pk}")
    post, _ = posted(request)
    places.leave(place, post.get("code", ""))
    return SeeOther(reverse("intake:places"))


def _page(request: HttpRequest, place: Place) -> dict[str, Any]:
    shown = places.kiosk(place, request.GET.get("lang", ""))
    return {
        "place": place,
        "kiosk": shown,
        "url": reverse("intake:kiosk", args=[place.slug]),
        # Without a script every page is answered once, under the id that came with it.
        "event": places.new_event_id(),
        "thanked": "thanks" in request.GET,
        "languages": [
            {"code": code, "name": WORDS[code].own_name, "url": _url(place, language=code)}
            for code in place.languages
            if code != shown.language
        ],
        "language": shown.language,
        "words": words_in(shown.language),
        # No header and no footer: nothing leads away from a kiosk.
        "embedded": True,
        "first_url": _url(place, language=place.languages[0]),
    }


def _url(place: Place, *, language: str) -> str:
    spoken = language if language in place.languages else place.languages[0]
    return f"{reverse('intake:kiosk', args=[place.slug])}?lang={spoken}"
