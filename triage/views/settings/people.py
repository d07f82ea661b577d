"""Settings: people and API keys. Links and keys are shown once, in the answer that makes them."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from feedback_portal.accounts.models import ApiKey, Role, Scope, Team, User
from feedback_portal.accounts.permissions import actor_of, require_set_up, set_up_page
from feedback_portal.refusals import BadInput
from triage import organisation
from triage.views.answering import done, errors_of
from triage.views.settings.shell import PLACES, given, show


@set_up_page
def people(request: HttpRequest) -> HttpResponse:
    """Everybody, and an invitation: a new person and the link that signs them in once."""
    values: dict[str, object] = {"email": "", "name": "", "role": Role.AGENT, "teams": []}
    errors: dict[str, list[str]] = {}
    invited, link = None, ""
    if request.method == "POST":
        sent = given(request, "email", "name", "role") | {"teams": request.POST.getlist("teams")}
        try:
            invited, token = organisation.invite(sent, by=actor_of(request), at=timezone.now())
            link = _link(token)
        except BadInput as refused:
            values, errors = sent, errors_of(refused)
    context = {
        "everybody": User.objects.prefetch_related("teams").order_by("-is_active", "name", "pk"),
        "teams": Team.objects.filter(is_active=True).order_by("name"),
        "roles": Role.choices,
        "invited": invited,
        "link": link,
        "values": values,
        "errors": errors,
        "places": PLACES,
    }
    return render(request, "triage/settings/people.html", context, status=422 if errors else 200)


@set_up_page
def person(request: HttpRequest, number: int) -> HttpResponse:
    found = get_object_or_404(User, pk=number)
    stored = {
        "name": found.name,
        "role": found.role,
        "teams": list(found.teams.values_list("slug", flat=True)),
        "is_active": found.is_active,
    }
    context = {"person": found, "teams": Team.objects.filter(is_active=True).order_by("name"), "roles": Role.choices}

    def save() -> str:
        sent = given(request, "name", "role", flags=("is_active",)) | {"teams": request.POST.getlist("teams")}
        return gettext("%(name)s is saved.") % {"name": organisation.change_person(found, sent, by=actor_of(request))}

    return show(request, "person", context, stored=stored, save=save, to="triage:people")


@login_required
@require_POST
def new_link(request: HttpRequest, number: int) -> HttpResponse:
    """Another link for a person who lost theirs; it is in this answer and nowhere else."""
    require_set_up(request)
    found = get_object_or_404(User, pk=number)
    token = organisation.new_link(found, by=actor_of(request), at=timezone.now())
    return render(request, "triage/settings/link.html", {"person": found, "link": _link(token), "places": PLACES})


@set_up_page
def keys(request: HttpRequest) -> HttpResponse:
    """Every key without its secret, and a form for a new one."""
    values: dict[str, object] = {"name": "", "scopes": [], "team": ""}
    errors: dict[str, list[str]] = {}
    issued, secret = None, ""
    if request.method == "POST":
        sent = given(request, "name", "team") | {"scopes": request.POST.getlist("scopes")}
        try:
            issued, secret = organisation.issue_key(sent, by=actor_of(request))
        except BadInput as refused:
            values, errors = sent, errors_of(refused)
    context = {
        "keys": ApiKey.objects.select_related("team", "created_by").order_by("revoked_at", "-pk")[:200],
        "scopes": Scope.choices,
        "teams": Team.objects.filter(is_active=True).order_by("name"),
        "issued": issued,
        "secret": secret,
        "values": values,
        "errors": errors,
        "places": PLACES,
    }
    return render(request, "triage/settings/keys.html", context, status=422 if errors else 200)


@login_required
@require_POST
def revoke_key(request: HttpRequest, number: int) -> HttpResponse:
    require_set_up(request)
    key = get_object_or_404(ApiKey, pk=number)
    organisation.revoke_key(key, by=actor_of(request), at=timezone.now())
    return done(request, gettext("The key %(name)s opens nothing any more.") % {"name": key.name}, "triage:keys")


def _link(token: str) -> str:
    return settings.BASE_URL + reverse("accounts:sign_in_link", args=[token])
