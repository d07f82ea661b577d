"""Where trackers call us."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from intake.connectors.base import Call
from intake.views.hooks import TooLarge
from triage.connecting import calls


@csrf_exempt  # Trackers have no cookie of ours; the signature says who calls.
@require_POST
def hook(request: HttpRequest, key: str) -> HttpResponse:
    if int(request.META.get("CONTENT_LENGTH") or 0) > calls.LARGEST:
        raise TooLarge(f"Send at most {calls.LARGEST:,} bytes at once.")
    headers = {name.lower(): value for name, value in request.headers.items()}
    calls.take(key, Call(request.method or "", request.path, headers, request.read(calls.LARGEST)))
    return HttpResponse(status=204)
