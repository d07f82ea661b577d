"""What every request meets first and every answer carries last: its shape, its headers, where we are."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.translation import gettext
from whitenoise.storage import CompressedManifestStaticFilesStorage

from feedback_portal.marking import marked
from feedback_portal.refusals import Refused, answer

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'{events};"
    " form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors {ancestors}"
)
# Public pages are kept out of shared caches as well: a tracking page is a secret, a form holds a token.
_STAFF_CACHE = "no-store"


class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Hashed names, served for ever. A template that names a missing file fails in tests, not for a reader."""

    manifest_strict = False


class ResponseHeaders:
    """Middleware: the headers of every answer, error pages included; a view may set its own first."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        ancestors = getattr(response, "frame_ancestors", "'none'")
        events = getattr(response, "events_source", "")
        response.setdefault(
            "Content-Security-Policy", CONTENT_SECURITY_POLICY.format(ancestors=ancestors, events=f" {events}".rstrip())
        )
        if ancestors == "'none'":
            response.setdefault("X-Frame-Options", "DENY")
        response.setdefault("X-Content-Type-Options", "nosniff")
        response.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
        if not request.path.startswith(settings.STATIC_URL):
            response.setdefault("Cache-Control", _STAFF_CACHE)
        return response


class Compressed(GZipMiddleware):
    """Middleware: pages and JSON are compressed for whoever takes that, with or without a proxy in front; a page then weighs a sixth.

    Django pads each answer by a random length, so that what is reflected beside a secret says nothing by its size (BREACH). Files
    are left alone: an export is as quick as it is because nobody looks at its bytes on the way.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        kind = response.get("Content-Type", "").partition(";")[0]
        if response.streaming or not (kind.startswith("text/") or kind.endswith(("json", "xml"))):
            return response
        compressed: HttpResponseBase = super().process_response(request, response)
        return compressed


class LengthRequired(Refused):
    status = 411
    code = "length-required"
    title = marked("The length of the request is not given")


class UnsupportedMedia(Refused):
    status = 415
    code = "unsupported-media"
    title = marked("This kind of content is not accepted")


class BadAddress(Refused):
    code = "bad-address"
    title = marked("This address cannot be read")


class RequestShape:
    """Middleware: refuses requests that the layers below would misread rather than refuse.

    A chunked body reaches a WSGI application as no body at all, answered with a cheerful 200; a compressed one
    can be a bomb; NUL and broken UTF-8 in an address become database errors.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        refused = self._refusal(request)
        return answer(request, refused) if refused else self.get_response(request)

    @staticmethod
    def _refusal(request: HttpRequest) -> Refused | None:
        if "chunked" in request.headers.get("Transfer-Encoding", "").lower() and not request.META.get("CONTENT_LENGTH"):
            return LengthRequired(gettext("Send the request with a Content-Length header."))
        if request.headers.get("Content-Encoding", "identity").lower() not in {"identity", ""}:
            return UnsupportedMedia(gettext("Send the request without compression."))
        charset = (request.content_params or {}).get("charset", "utf-8").strip("\"'").lower()
        if charset not in {"utf-8", "utf8", "us-ascii", "ascii"}:
            return UnsupportedMedia(gettext("Send text as UTF-8."))
        query = request.META.get("QUERY_STRING", "")
        if "%00" in query or "\x00" in query or "%00" in request.path or "\x00" in request.path:
            return BadAddress(gettext("The address holds a character that no text has. Type the address again."))
        if any("\N{REPLACEMENT CHARACTER}" in value for values in request.GET.lists() for value in values[1]):
            return BadAddress(gettext("The address is not valid UTF-8. Type the search again."))
        return None


def client_address(request: HttpRequest) -> str:
    """The caller's address as our own proxies saw it: client-made headers are believed only that many hops deep."""
    hops = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    if settings.TRUSTED_PROXIES and len(hops) >= settings.TRUSTED_PROXIES:
        return hops[-settings.TRUSTED_PROXIES]
    return str(request.META.get("REMOTE_ADDR", ""))


def place(request: HttpRequest) -> dict[str, Any]:
    """Template context: whose portal this is."""
    return {"organisation": settings.ORGANISATION, "debug_mail": settings.DEBUG}
