"""Where other systems call us: one call, whole and as it was sent, and an answer that says no more than it must."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from feedback_portal.refusals import Refused
from intake import hooks
from intake.connectors.base import Call


class TooLarge(Refused):
    status = 413
    code = "too-large"
    title = "This call is too large"


@csrf_exempt  # Other systems have no cookie of ours; the signature says who calls.
@require_http_methods(["GET", "HEAD", "POST"])
def hook(request: HttpRequest, key: str) -> HttpResponse:
    call = _call(request, longest=hooks.longest(key))
    reply = hooks.take(key, call, at=timezone.now())
    return HttpResponse(reply.body, content_type=reply.content_type)


def _call(request: HttpRequest, *, longest: int) -> Call:
    """As it was made to our public address, for that is what its sender signed, whatever stands between us."""
    # Said before it is read; what is longer than it says is cut there.
    if int(request.META.get("CONTENT_LENGTH") or 0) > longest:
        raise TooLarge(f"Send at most {longest:,} bytes at once.")
    return Call(
        method=request.method or "",
        url=settings.BASE_URL + request.get_full_path(),
        headers={name.lower(): value for name, value in request.headers.items()},
        # Not `request.body`, whose bound for every page is lower than a mail with its files.
        body=request.read(longest),
    )
