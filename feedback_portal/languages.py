"""Which language and which clock a reader gets: their own, else the one they asked for, else what their browser asks for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.formats import date_format, number_format
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext, pgettext

from feedback_portal.marking import Share, filled, marked
from feedback_portal.refusals import wants_json

ASKED = "lang"
"""The parameter of an address that asks for a language; the answer is remembered."""
PROGRAMS = "en"
"""Programs read one language, so that nothing they compare depends on who set them up."""
PERCENT_SIGN = marked("%")
"""What follows a number in per cent; some languages keep them apart."""
MINUS = "\N{MINUS SIGN}"
LEFT_TO_RIGHT = "\N{LEFT-TO-RIGHT MARK}"
_REMEMBERED = 365 * 24 * 3600
# Forms, kiosks and the previews of both say in their addresses which language they speak. That sets no cookie: in other people's
# pages it may not, and whoever looks at a preview did not ask for their own pages in that language.
_SET_NO_COOKIE = ("/f/", "/k/", "/settings/")


def nearest(code: str) -> str:
    """The portal's language for a code such as de-AT or pt_BR; "" where it does not speak it."""
    try:
        return translation.get_supported_language_variant(code[:35].lower().replace("_", "-"))
    except LookupError:
        return ""


@contextmanager
def speaking(*codes: str) -> Iterator[str]:
    """What is said inside is said in the first of these that the portal speaks, else in its own; what was spoken before is
    spoken again afterwards."""
    language = next((found for code in codes if (found := nearest(code))), settings.LANGUAGE_CODE)
    with translation.override(language):
        yield language


def said(stored: str) -> str:
    """A stored sentence (`marking.worded`) in the language that is spoken now; any other text as it is."""
    return filled(stored, gettext, pgettext("list", ", "), _written)


def _written(value: Decimal | date) -> str:
    """Digits and days as the language that is spoken writes them; a minus stays before its number in every writing direction."""
    if isinstance(value, Share):
        return percent(value)
    if not isinstance(value, Decimal):
        return date_format(value, "LONG_DAY_YEAR")
    digits = number_format(abs(value), force_grouping=True)
    if value >= 0:
        return digits
    return f"{LEFT_TO_RIGHT if translation.get_language_bidi() else ''}{MINUS}{digits}"


def percent(share: float | Decimal, decimals: int = 0) -> str:
    """A share from 0 to 1 in per cent, as the language writes it: 20%, or 20 % with a space that does not break."""
    digits = number_format(Decimal(f"{100 * share:.{decimals}f}"), decimals, force_grouping=True)
    return f"{digits}{gettext(PERCENT_SIGN)}"


def within(words: object) -> str:
    """A label as it stands in the middle of a sentence: with a small first letter, but in German, where nouns have a capital."""
    label = str(words)
    return label if (translation.get_language() or "").startswith("de") else label[:1].lower() + label[1:]


def in_a_line(*facts: object) -> str:
    """Facts beside each other, those that say something, with the comma of the language."""
    return pgettext("list", ", ").join(words for fact in facts if (words := str(fact or "")))


def language_name(code: str, otherwise: str = "") -> str:
    """What a language is called in the language that is spoken now, capitalised; `otherwise` (or its code) where Django does not
    know it."""
    try:
        name = translation.get_language_info(code)["name_translated"]
    except KeyError:
        name = otherwise or code
    return str(name[:1].upper() + name[1:])


def zones() -> list[str]:
    """Places whose clock can be chosen, in the order of the alphabet."""
    return sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/")))


class VisitorsLanguage:
    """Middleware: whoever comes is spoken to in the language they asked for, or their browser does; programs in English.

    Language and clock belong to the thread, so each is set for the time of one request and set back after it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked = "" if wants_json(request) else nearest(request.GET.get(ASKED, ""))
        language = PROGRAMS if wants_json(request) else asked or translation.get_language_from_request(request)
        with translation.override(language), timezone.override(None):
            response = self.get_response(request)
        if asked and not request.path.startswith(_SET_NO_COOKIE):
            response.set_cookie(
                settings.LANGUAGE_COOKIE_NAME,
                asked,
                max_age=_REMEMBERED,
                secure=settings.SERVED_SECURELY,
                httponly=True,
                samesite="Lax",
            )
        return response


class OwnLanguage:
    """Middleware, after the one that says who is signed in: a member of staff reads in their own language, by their own clock."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Who brings no session is nobody, and costs no look for one.
        if wants_json(request) or settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return self.get_response(request)
        # What this very address asks for comes before what holds in general.
        own = nearest(request.GET.get(ASKED, "")) or nearest(getattr(request.user, "language", ""))
        zone = _zone(getattr(request.user, "time_zone", ""))
        with translation.override(own or translation.get_language()), timezone.override(zone):
            return self.get_response(request)


def context(request: HttpRequest) -> dict[str, Any]:
    """Template context: the page's language, which way it runs, and in which others it can be had."""
    return {
        "language": translation.get_language() or settings.LANGUAGE_CODE,
        "direction": "rtl" if translation.get_language_bidi() else "ltr",
        "languages": SimpleLazyObject(lambda: _choices(request)),
    }


def _choices(request: HttpRequest) -> list[dict[str, Any]]:
    kept = {name: value for name, value in request.GET.items() if name != ASKED} if request.method == "GET" else {}
    return [
        {
            "code": code,
            "name": name,
            "url": "?" + urlencode(kept | {ASKED: code}),
            "is_current": code == translation.get_language(),
        }
        for code, name in settings.LANGUAGES
    ]


def _zone(name: str) -> ZoneInfo | None:
    """None is the portal's own; a zone that this machine has forgotten must not lock its people out."""
    try:
        return ZoneInfo(name) if name else None
    except (OSError, ValueError):
        return None
