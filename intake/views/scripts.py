"""Two scripts that need an address of their own: the one other sites name, and the one that answers without a network."""

from pathlib import Path

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

_HOUR = 3600


@require_safe
def widget(request: HttpRequest) -> HttpResponse:
    """Under one address for ever, since it stands in pages that are not ours."""
    found = finders.find("widget.js")
    assert isinstance(found, str), "it lies beside the other static files"
    response = HttpResponse(Path(found).read_text(encoding="utf-8"), content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = f"public, max-age={_HOUR}"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """The service worker of /f/ and /k/; it lies above both, so that one script may serve them."""
    return render(request, "intake/offline.js", content_type="text/javascript; charset=utf-8")
