"""Settings: which model outside a tagger may ask, what that may cost, and switching it on. Nobody is asked from here."""

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import actor_of, set_up_page
from triage.asking import providers
from triage.models import Provider
from triage.taggers.outside import KINDS, MOST_CHARACTERS
from triage.views.settings.shell import given, show

_FIELDS = ("base_url", "model", "key", "seconds", "daily_requests", "daily_tokens", "below")


@set_up_page
def provider(request: HttpRequest, tagger: str) -> HttpResponse:
    kind = KINDS.get(tagger)
    if kind is None:
        raise Http404
    found = Provider.objects.filter(tagger=tagger).first() or Provider(tagger=tagger)

    def save() -> str:
        sent = given(request, *_FIELDS, flags=("is_enabled", "forget_key"))
        saved = providers.save(tagger, sent, by=actor_of(request), at=timezone.now())
        asked, off = (
            gettext("%(kind)s: %(model)s is asked from now on."),
            gettext("%(kind)s: %(model)s is saved and switched off."),
        )
        return (asked if saved.is_enabled else off) % {"kind": gettext(kind.name), "model": saved.model}

    stored = {
        "base_url": found.base_url,
        "model": found.model,
        "seconds": str(found.seconds),
        "daily_requests": str(found.daily_requests),
        "daily_tokens": str(found.daily_tokens),
        "below": str(round(100 * found.below)),
        "is_enabled": found.is_enabled,
        "forget_key": False,
    }
    context = {
        "kind": kind,
        "provider": found if found.pk else None,
        "has_key": bool(found.sealed_key),
        "most_characters": MOST_CHARACTERS,
    }
    return show(request, "provider", context, stored=stored, save=save, to="kpis:models")
