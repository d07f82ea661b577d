"""What a customer sees before and after sending: the open forms, a form, and the thanks with the private link."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language_info, override
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from feedback_portal.accounts.models import Team
from feedback_portal.edge import client_address
from feedback_portal.refusals import Refused, answer
from intake import allowances, places, proof_of_work, receiving, surveys
from intake.form_words import words_in
from intake.forms import AnswersForm
from intake.models import Form, Submission
from intake.posts import posted
from intake.questions import Definition, from_json
from intake.surveys import Sheet

# The name of a field that people do not see and programs fill in.
TRAP = "homepage"
# Fields of the page itself; no question can have such a name.
COPY, WRITTEN_AT, AT_PLACE = "sheet-copy", "written-at", "at-place"
_COPY = re.compile(r"[0-9a-f]{16,64}\Z")
Drawn = dict[str, Any]
_RIGHT_TO_LEFT = {"ar", "fa", "he", "ur"}


class SeeOther(HttpResponseRedirect):
    """The answer to a POST is read with a GET, and reloading it sends nothing again."""

    status_code = 303


def frameable(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """With ?embed=1 the page may stand in frames of our own and of the origins that its form names, refusals included:
    whoever fills in a form inside another page must see why it was not taken."""

    @wraps(view)
    def framed(request: HttpRequest, slug: str, **arguments: str) -> HttpResponse:
        if not _is_embedded(request):
            return view(request, slug, **arguments)
        try:
            response = view(request, slug, **arguments)
        except Refused as refused:
            response = answer(request, refused)
        origins = Form.objects.filter(slug=slug).values_list("allowed_origins", flat=True).first() or []
        response.frame_ancestors = " ".join(["'self'", *origins])  # type: ignore[attr-defined]
        return response

    return framed


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    doors = []
    for form in surveys.published_forms():
        definition = _definition(request, form)
        doors.append({"title": definition.title, "description": definition.description, "url": _url(form)})
    return render(request, "home.html", {"forms": doors})


@csrf_exempt  # There is no cookie that a foreign page could ride on; the signed token says which page was sent.
@require_http_methods(["GET", "HEAD", "POST"])
@frameable
def form(request: HttpRequest, slug: str) -> HttpResponse:
    at = timezone.now()
    opened = surveys.open_form(slug)
    if request.method != "POST":
        return _page(request, opened, surveys.hand_out(opened, at=at))
    strain = allowances.use_one(opened.channel, client_address(request), at=at)
    post, files = posted(request)
    sheet = surveys.read_token(opened, post.get("token", ""))
    copy = str(post.get(COPY, ""))
    sheet = replace(sheet, copy=copy if _COPY.match(copy) else "")
    answers = AnswersForm(_definition(request, opened, sheet.definition()), post, files)
    if sheet.is_stale(at):
        return _page(request, opened, sheet.renewed(at), answers, notice=answers.words.too_late)
    if not answers.is_valid():
        return _page(request, opened, sheet, answers)
    about = surveys.read_about(opened, post.get("about", "")) | places.read_place(opened, post.get(AT_PLACE, ""))
    received = surveys.submit(
        sheet,
        answers.answers(),
        at=at,
        files=answers.sent_files(),
        about=about,
        language=answers.definition.language,
        written_at=surveys.read_written_at(post.get(WRITTEN_AT, ""), at=at),
        trap=post.get(TRAP),
        strain=strain,
    )
    token = receiving.tracking_token(received.submission)
    return SeeOther(_url(opened, request, to="intake:thanks", token=token))


@require_safe
@frameable
def thanks(request: HttpRequest, slug: str, token: str) -> HttpResponse:
    sent, submission = _sent(slug, token)
    context = {
        "form": {"title": _definition(request, sent).title, "url": _url(sent, request)},
        "reference": submission.reference,
        "tracking_url": receiving.tracking_url(submission),
        "expects": _expects(submission.received_at, language=language_of(request, _asked_now(sent))),
        "mailed": surveys.is_answered_by_mail(submission),
        "proof": _proof(sent, submission, at=timezone.now()),
        "embedded": _is_embedded(request),
    }
    response = render(request, "intake/thanks.html", context | _languages(request, _asked_now(sent)))
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response


@csrf_exempt  # The token in the address is the secret.
@require_POST
@frameable
def proof(request: HttpRequest, slug: str, token: str) -> HttpResponse:
    """What the device behind a suspicious answer worked out, so that no person has to look first."""
    sent, submission = _sent(slug, token)
    post, _ = posted(request)
    surveys.prove(sent, submission, post.get("proof", ""), at=timezone.now())
    return HttpResponse(status=204)


def _sent(slug: str, token: str) -> tuple[Form, Submission]:
    submission = receiving.find_by_token(token)
    sent = Form.objects.select_related("channel", "current").filter(slug=slug).first()
    if submission is None or sent is None or submission.channel_id != sent.channel_id:
        raise Http404
    return sent, submission


def _proof(form: Form, submission: Submission, *, at: datetime) -> dict[str, str] | None:
    """A challenge for the device that an answer came from, when a proof would let the answer in."""
    if submission.quarantine_reason not in surveys.PROVABLE:
        return None
    token = receiving.tracking_token(submission)
    return {
        "challenge": json.dumps(proof_of_work.challenge(form, at=at)),
        "url": reverse("intake:proof", kwargs={"slug": form.slug, "token": token}),
    }


def _page(
    request: HttpRequest,
    form: Form,
    sheet: Sheet,
    answers: AnswersForm | None = None,
    *,
    notice: str = "",
) -> HttpResponse:
    """The form, empty or with what was said and what is wrong with it; nothing that was written is lost."""
    shown = answers or AnswersForm(_definition(request, form))
    # A link's facts stand in its address first, and in the page from then on.
    about = shown.data.get("about", "") if answers else request.GET.get("about", "")
    place = shown.data.get(AT_PLACE, "") if answers else request.GET.get("place", "")
    context = drawn(request, _asked_now(form), shown, url=_url(form, request), notice=notice) | {
        "hidden": [
            {"name": "token", "value": sheet.token()},
            {"name": COPY, "value": sheet.copy},
            *({"name": name, "value": value} for name, value in (("about", about), (AT_PLACE, place)) if value),
        ],
        "trap": TRAP,
        "embedded": _is_embedded(request),
    }
    return render(request, "intake/form.html", context, status=200 if answers is None else 400)


def drawn(
    request: HttpRequest, definition: Definition, answers: AnswersForm, *, url: str, notice: str = ""
) -> dict[str, Any]:
    """What `intake/form.html` shows of a form, whether it is answered or still being made."""
    shown, words = answers.definition, answers.words
    # Django's own sentences about fields speak the page's language too.
    with override(shown.language):
        questions = _in_steps(answers.drawn())
    wrong = sum(
        len(question["errors"]) + sum(len(field["errors"]) for field in question.get("fields", ()))
        for question in questions
    )
    return {
        "form": {
            "title": shown.title,
            "intro": shown.intro,
            "submit_label": shown.submit_label,
            "time_label": shown.time_label,
            "privacy_url": shown.privacy_url,
            "url": url,
        },
        "questions": questions,
        "notice": notice,
        "errors_title": wrong and (words.one_error if wrong == 1 else words.more_errors.format(count=wrong)),
    } | _languages(request, definition)


def _in_steps(questions: list[Drawn]) -> list[Drawn]:
    """Each with the step in which a phone shows it: the ratings, then what happened, then what nobody needs to answer."""
    needed = max((place for place, question in enumerate(questions) if question["required"]), default=-1)
    step = 1
    for place, question in enumerate(questions):
        is_rating = question["kind"] == "scale"
        if step == 1 and not is_rating and place:
            step = 2
        elif step == 2 and not is_rating and place > needed and questions[place - 1]["step"] == 2:
            step = 3
        question["step"] = step
    return questions


def _definition(request: HttpRequest, form: Form, definition: Definition | None = None) -> Definition:
    """What the form asks, in the reader's language."""
    definition = definition or _asked_now(form)
    return definition.in_language(language_of(request, definition))


def _asked_now(form: Form) -> Definition:
    assert form.current is not None, "a published form has a version"
    return from_json(form.current.definition)


def language_of(request: HttpRequest, definition: Definition) -> str:
    """The one chosen on the page, else the first of the browser's that the form speaks."""
    known = {language.lower(): language for language in definition.languages}
    asked = [request.GET.get("lang", "")]
    asked += [language for language, _ in parse_accept_lang_header(request.headers.get("Accept-Language", "")[:500])]
    for language in asked:
        for spoken in (language.lower(), language.lower().partition("-")[0]):
            if spoken in known:
                return known[spoken]
    return definition.language


def _languages(request: HttpRequest, definition: Definition) -> dict[str, Any]:
    """What `base_public.html` says of the page's language, and of the others it can be read in."""
    current = language_of(request, definition)
    return {
        "language": current,
        "words": words_in(current),
        "direction": "rtl" if current.partition("-")[0] in _RIGHT_TO_LEFT else "",
        "languages": [
            {
                "code": code,
                "name": own_name(code),
                "url": "?" + _query(request, lang=code),
                "is_current": code == current,
            }
            for code in definition.languages
            if len(definition.languages) > 1
        ],
    }


def _is_embedded(request: HttpRequest) -> bool:
    return request.GET.get("embed") == "1"


def _url(form: Form, request: HttpRequest | None = None, *, to: str = "intake:form", **arguments: str) -> str:
    """The address of a form or its thanks, which keeps how the form is shown."""
    path = reverse(to, kwargs={"slug": form.slug, **arguments})
    query = _query(request) if request is not None else ""
    return f"{path}?{query}" if query else path


def _query(request: HttpRequest, **changed: str) -> str:
    kept = {name: request.GET[name][:500] for name in ("embed", "lang") if request.GET.get(name)}
    return urlencode(kept | changed)


def own_name(code: str) -> str:
    try:
        return str(get_language_info(code)["name_local"]).capitalize()
    except KeyError:
        return code


def _expects(received_at: datetime, *, language: str) -> str:
    """By when somebody reads it; the catch-all team's promise is the one that holds for everybody."""
    hours = Team.objects.filter(is_catch_all=True).values_list("triage_hours", flat=True).first() or 24
    by = timezone.localtime(received_at + timedelta(hours=hours), timezone.get_default_timezone())
    words = words_in(language)
    with override(language):
        return words.read_by.format(day=date_format(by, words.day))
