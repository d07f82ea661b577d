"""Sign-in, sign-out, the link that works once, and what each person chooses for themselves."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language, gettext, gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from feedback_portal.accounts.models import SignInLink, User
from feedback_portal.accounts.signing_in import WrongPassword, check_password
from feedback_portal.edge import client_address
from feedback_portal.languages import speaking, zones
from feedback_portal.refusals import NotFound, TooMany

_BACKEND = "django.contrib.auth.backends.ModelBackend"
_HOME = "/triage/"


class SignInForm(forms.Form):
    email = forms.EmailField(label=gettext_lazy("E-mail address"), max_length=254)
    password = forms.CharField(max_length=128, strip=False, widget=forms.PasswordInput)
    next = forms.CharField(required=False, widget=forms.HiddenInput)


class OwnForm(forms.ModelForm):  # type: ignore[type-arg]
    """Language and clock of one person; empty, their browser says the one and the portal the other."""

    language = forms.ChoiceField(required=False, choices=[("", ""), *settings.LANGUAGES])
    time_zone = forms.ChoiceField(required=False, choices=lambda: [("", ""), *((zone, zone) for zone in zones())])

    class Meta:
        model = User
        fields = ("language", "time_zone")


@login_required
@require_http_methods(["GET", "POST"])
def own(request: HttpRequest) -> HttpResponse:
    """What somebody chooses for themselves; it holds from the next page on, which says so in the new language."""
    person: Any = request.user
    form = OwnForm(request.POST or None, instance=person)
    if request.method == "POST" and form.is_valid():
        form.save()
        with speaking(person.language, get_language() or ""):
            messages.success(request, gettext("Saved. It holds on all your devices from now on."))
        return redirect("accounts:own")
    status = 422 if form.errors else 200
    return render(
        request,
        "accounts/own.html",
        {"form": form, "spoken": settings.LANGUAGES, "zones": zones(), "portal_zone": settings.TIME_ZONE},
        status=status,
    )


@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        return render(
            request, "accounts/sign_in.html", {"form": SignInForm(initial={"next": request.GET.get("next", "")})}
        )
    form = SignInForm(request.POST)
    status = 422
    if form.is_valid():
        try:
            user = check_password(
                request,
                email=form.cleaned_data["email"],
                password=form.cleaned_data["password"],
                address=client_address(request),
                at=timezone.now(),
            )
        except (WrongPassword, TooMany) as refused:
            form.add_error(None, refused.message)
            status = refused.status
        else:
            login(request, user, backend=_BACKEND)
            return redirect(_own_path(request, form.cleaned_data["next"]))
    return render(request, "accounts/sign_in.html", {"form": form}, status=status)


@require_http_methods(["GET", "POST"])
def sign_in_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows a button and changes nothing, for mail scanners open links; POST redeems the token."""
    if request.method == "GET":
        return render(request, "accounts/sign_in_link.html", {"token": token})
    user = SignInLink.redeem(token, at=timezone.now())
    if user is None:
        raise NotFound(gettext("This sign-in link was used already or is too old. Ask an administrator for a new one."))
    login(request, user, backend=_BACKEND)
    return redirect(_HOME)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("accounts:sign_in")


def _own_path(request: HttpRequest, wanted: str) -> str:
    ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if ours and wanted.startswith("/") else _HOME
