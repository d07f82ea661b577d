"""The private page of one item, for whoever has its link. Reading changes nothing; every act is a POST from the page."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from feedback_portal.edge import client_address
from feedback_portal.refusals import BadInput, NotFound
from intake import allowances, receiving
from triage import tracking
from triage.lifecycle import DONE, Status
from triage.models import Event
from triage.persons import erasing
from triage.tracking import handing_out, saying
from triage.views.answering import errors_of


def private(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Whoever has the link may read, and nobody hears of the link from us. Unknown, revoked and expired are one same 404."""

    @wraps(view)
    def answer(request: HttpRequest, token: str) -> HttpResponse:
        try:
            response = view(request, token)
        except NotFound:
            raise Http404 from None
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex"
        return response

    return answer


def act(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """What only a POST may do. The link is the right to act, and no cookie is: there is nothing a foreign page could ride on.
    (A page that sends no referrer has no origin to check either.)"""

    @csrf_exempt
    @require_POST
    @wraps(view)
    def answer(request: HttpRequest, token: str) -> HttpResponse:
        submission = receiving.find_by_token(token)
        if submission is not None:
            allowances.use_one(submission.channel, client_address(request), at=timezone.now())
        return private(view)(request, token)

    return answer


@require_safe
@private
def page(request: HttpRequest, token: str) -> HttpResponse:
    return _page(request, token)


@act
def reply(request: HttpRequest, token: str) -> HttpResponse:
    text = request.POST.get("text", "")
    try:
        tracking.add_words(token, at=timezone.now(), text=text)
    except BadInput as refused:
        return _page(request, token, text=text, errors=errors_of(refused).get("text", [refused.message]), status=422)
    return _back(request, token, gettext("We have what you added, and it is with the people who work on it."))


@act
def rate(request: HttpRequest, token: str) -> HttpResponse:
    given = request.POST.get("value", "")
    tracking.rate(token, at=timezone.now(), value=int(given) if given in {"1", "2", "3", "4", "5"} else 0)
    return _back(request, token, gettext("Thank you. We count your answer, and look again at what did not help."))


@act
def still_fixed(request: HttpRequest, token: str) -> HttpResponse:
    is_fixed = request.POST.get("fixed") == "yes"
    tracking.say_whether_fixed(token, at=timezone.now(), is_fixed=is_fixed)
    said = gettext("Thank you. That is good to know.") if is_fixed else gettext("Thank you. We take it up again.")
    return _back(request, token, said)


@act
def mail(request: HttpRequest, token: str) -> HttpResponse:
    wanted = request.POST.get("wanted") == "yes"
    tracking.set_mail(token, at=timezone.now(), wanted=wanted)
    said = (
        gettext("We write to you when something happens.")
        if wanted
        else gettext("We send you no more mails. This page still shows everything.")
    )
    return _back(request, token, said)


@act
def delete(request: HttpRequest, token: str) -> HttpResponse:
    erasing.erase(tracking.journey(token, at=timezone.now()).submission, at=timezone.now())
    return render(request, "triage/erased.html")


@require_safe
@private
def export(request: HttpRequest, token: str) -> HttpResponse:
    found = tracking.journey(token, at=timezone.now())
    response = JsonResponse(handing_out.export(found), json_dumps_params={"ensure_ascii": False, "indent": 2})
    response["Content-Disposition"] = f'attachment; filename="{found.submission.reference}.json"'
    return response


def _page(
    request: HttpRequest, token: str, *, text: str = "", errors: list[str] | None = None, status: int = 200
) -> HttpResponse:
    found = tracking.journey(token, at=timezone.now())

    def address(name: str) -> str:
        return reverse(f"triage:tracking_{name}", args=[token])

    context: dict[str, Any] = saying.page(found)
    ticket, item = found.deciding, found.item
    if found.voice is not None:
        asked = found.last(Event.Type.REPLY)
        person = asked.person.name.split()[0] if asked and asked.person and asked.person.name.split() else ""
        context["reply"] = {
            "url": address("reply"),
            "label": gettext("Your answer") if found.voice.status == Status.WAITING else gettext("Add something"),
            "placeholder": gettext("A detail, or a question"),
            "button": (gettext("Send to %(person)s") % {"person": person}) if person else gettext("Send"),
            "text": text,
            "errors": errors or [],
        }
    if found.voice is not None and found.voice.status in DONE and ticket is not None and ticket.status in DONE:
        scored = found.scored("handling")
        context["rating"] = {
            "url": address("rate"),
            "question": gettext("How did we handle this?"),
            "value": scored or "",
        }
    if found.asks_whether_fixed(at=timezone.now()):
        context["still_fixed_url"] = address("still_fixed")
    if item is not None:
        customer = item.customer
        can_write = item.may_contact and customer is not None and bool(customer.email)
        context["choices"] = {
            "sentence": gettext("Only people with this link see this page."),
            "mail_url": address("mail") if can_write else "",
            "is_written_to": can_write and customer is not None and customer.opted_out_at is None,
            "export_url": address("export"),
            "delete_url": address("delete"),
        }
    return render(request, "triage/tracking.html", context, status=status)


def _back(request: HttpRequest, token: str, sentence: str) -> HttpResponse:
    messages.success(request, sentence)
    return redirect("triage:tracking", token)
