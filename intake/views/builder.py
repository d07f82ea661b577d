"""Settings: forms, made by staff in the browser, with a preview that is the page itself."""

from datetime import datetime
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import set_up_page
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError
from intake import builder_forms, builder_page, publishing, surveys
from intake.builder_forms import Told
from intake.form_changes import changes
from intake.forms import AnswersForm
from intake.models import Form
from intake.publishing import DraftMoved
from intake.questions import as_json, from_json, read_definition
from intake.views.public import drawn, language_of, own_name

_SAID = {
    "add": marked("The question is added."),
    "remove": marked("The question is removed."),
    "speak": marked("The language is added. Write its words beside the others."),
    "silence": marked("The language is dropped."),
}


@set_up_page
def forms(request: HttpRequest) -> HttpResponse:
    """Every form, with its state and what came through it lately."""
    counts = publishing.answers_lately(at=timezone.now())
    rows = [
        {"form": form, "title": publishing.working(form).title, "count": counts.get(form.channel_id, 0)}
        for form in Form.objects.select_related("channel", "current").order_by("pk")
    ]
    return render(request, "intake/settings/forms.html", {"rows": rows})


@set_up_page
def new(request: HttpRequest) -> HttpResponse:
    values = {"name": "", "slug": "", "kind": "feedback"}
    errors: dict[str, list[str]] = {}
    if request.method == "POST":
        values = {name: request.POST.get(name, "").strip() for name in values}
        try:
            form = publishing.start(values["slug"], name=values["name"], kind=values["kind"])
        except BadInput as refused:
            errors = _by_place(refused)
        else:
            messages.success(request, gettext("The form is drafted. Nobody sees it until you publish it."))
            return redirect("intake:builder", form.slug)
    context = {"values": values, "errors": errors, "starts": publishing.STARTS.items()}
    return render(request, "intake/settings/new_form.html", context, status=422 if errors else 200)


@set_up_page
def builder(request: HttpRequest, slug: str) -> HttpResponse:
    """What the form asks. Each button keeps what was typed first, so that everything works without a script."""
    form = _form(slug)
    stored = as_json(publishing.working(form))
    language = _other(request, stored)
    if request.method != "POST":
        return _page(request, form, stored, language, seen=form.draft_changed_at)
    do, at = request.POST.get("do", "save"), timezone.now()
    told = builder_forms.read(request.POST, stored, language)
    seen = parse_datetime(request.POST.get("seen", ""))
    try:
        told, name = builder_forms.act(told, do, request.POST)
        publishing.save_draft(form, read_definition(told), at=at, seen=seen)
    except BadInput as refused:
        known = form.draft_changed_at if isinstance(refused, DraftMoved) else seen
        errors = refused.errors or (InputError("", refused.message),)
        return _page(request, form, told, language, errors=errors, seen=known)
    if do == "publish":
        version = publishing.publish_draft(form)
        sentence = gettext("Version %(number)s is published. What is sent from now on answers it.") % {
            "number": version.number
        }
    else:
        sentence = _SAID.get(do.partition(" ")[0], gettext("The draft is saved."))
    messages.success(request, sentence)
    here = _here(slug, beside=_spoken(request, told, language), open=name if do == "add" else "")
    return redirect(f"{here}#asked-{name}" if name and do != "add" else here)


def _page(
    request: HttpRequest,
    form: Form,
    told: Told,
    language: str,
    *,
    seen: datetime | None,
    errors: tuple[InputError, ...] = (),
) -> HttpResponse:
    first = told.get("language", "en")
    others = list(told.get("translations", {}))
    language = language if language in others else ""
    known = [code for code, _ in settings.LANGUAGES]
    context = {
        "form": form,
        "tab": "questions",
        "seen": seen.isoformat() if seen else "",
        "open": request.GET.get("open", ""),
        "here": _here(form.slug, beside=language),
        "preview": _here(form.slug, "intake:form_preview", lang=language or first, beside=language),
        "first": {"code": first, "name": own_name(first)},
        "others": [
            {"code": code, "name": own_name(code), "url": _here(form.slug, beside=code), "is_current": code == language}
            for code in others
        ],
        "other_name": own_name(language) if language else "",
        "languages": [{"code": code, "name": own_name(code)} for code in sorted({*known, first})],
    }
    shown = builder_page.drawn(told, language, errors)
    return render(request, "intake/settings/builder.html", context | shown, status=422 if errors else 200)


@set_up_page
def preview(request: HttpRequest, slug: str) -> HttpResponse:
    """The page people would see: of what is typed (POST), drafted, or published in one version."""
    form, notice = _form(slug), gettext("This is a preview. Nothing that you answer here is sent.")
    definition = publishing.working(form)
    number = request.GET.get("version", "")
    if number.isdecimal() and len(number) < 9:
        definition = from_json(get_object_or_404(form.versions, number=int(number)).definition)
    if request.method == "POST":
        stored = as_json(definition)
        told = builder_forms.read(request.POST, stored, _other(request, stored))
        try:
            definition = read_definition(told)
        except BadInput as refused:
            reason = refused.errors[0].message if refused.errors else refused.message
            notice = gettext("This is what was saved last; what is typed cannot be shown yet. %(reason)s") % {
                "reason": reason
            }
    answers = AnswersForm(definition.in_language(language_of(request, definition)))
    context = drawn(request, definition, answers, url="", notice=notice) | {"embedded": True, "is_preview": True}
    response = render(request, "intake/form.html", context)
    response.frame_ancestors = "'self'"  # type: ignore[attr-defined]
    return response


@set_up_page
def sharing(request: HttpRequest, slug: str) -> HttpResponse:
    """Whether the form is open, its address, links that carry facts, and the pages that may frame it."""
    form, do = _form(slug), request.POST.get("do", "")
    facts = (
        [question.name for question in from_json(form.current.definition).of_kind("context")] if form.current else []
    )
    values = {"origins": "\n".join(form.allowed_origins), "closed_note": form.closed_note}
    errors: dict[str, list[str]] = {}
    link = ""
    if request.method == "POST":
        values |= {name: request.POST[name] for name in values if name in request.POST}
        try:
            if do == "link":
                link = _link(form, {name: request.POST.get(f"fact.{name}", "").strip() for name in facts})
            else:
                messages.success(request, _opened(form, do, values))
                return redirect("intake:form_sharing", slug)
        except BadInput as refused:
            errors = _by_place(refused)
    context = {
        "form": form,
        "tab": "sharing",
        "values": values,
        "errors": errors,
        "facts": [{"name": name, "value": request.POST.get(f"fact.{name}", "")} for name in facts],
        "link": link,
        "address": settings.BASE_URL + reverse("intake:form", args=[slug]),
        "widget": settings.BASE_URL + reverse("intake:widget"),
        "asks_proof": form.channel.settings.get("asks_proof") is True,
    }
    return render(request, "intake/settings/sharing.html", context, status=422 if errors else 200)


@set_up_page
def versions(request: HttpRequest, slug: str) -> HttpResponse:
    """What was published, the newest first, each with what it changed; any of them can be drafted again."""
    form = _form(slug)
    if request.method == "POST":
        again = get_object_or_404(form.versions, number=_number(request.POST.get("number", "")))
        publishing.save_draft(form, from_json(again.definition), at=timezone.now(), seen=form.draft_changed_at)
        messages.success(
            request,
            gettext("Version %(number)s is the draft now. Publish it to ask it again.") % {"number": again.number},
        )
        return redirect("intake:builder", slug)
    rows: list[dict[str, object]] = []
    before = None
    for version in form.versions.order_by("number"):
        definition = from_json(version.definition)
        rows.append({"version": version, "changes": changes(before, definition), "is_current": version == form.current})
        before = definition
    drafted = changes(before, publishing.working(form)) if form.draft is not None and before is not None else []
    context = {"form": form, "tab": "versions", "rows": rows[::-1], "drafted": drafted}
    return render(request, "intake/settings/versions.html", context)


@set_up_page
def version(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    form = _form(slug)
    shown = get_object_or_404(form.versions, number=number)
    definition = from_json(shown.definition)
    context = {
        "form": form,
        "tab": "versions",
        "version": shown,
        "definition": definition,
        "languages": [
            {"name": own_name(code), "url": _here(slug, "intake:form_preview", version=str(number), lang=code)}
            for code in definition.languages
        ],
    }
    return render(request, "intake/settings/version.html", context)


def _opened(form: Form, do: str, values: dict[str, str]) -> str:
    """What a button of the sharing page does, in the words of the answer."""
    if do == "close":
        surveys.close(form, note=values["closed_note"])
        return gettext("The form is closed. Whoever opens it reads why.")
    if do == "open":
        surveys.reopen(form)
        return gettext("The form takes answers in again.")
    if do == "discard":
        publishing.discard_draft(form, at=timezone.now())
        return gettext("The draft is gone. The form asks what is published.")
    if do in {"ask proof", "ask no proof"}:
        surveys.ask_proof(form, asked=do == "ask proof")
        return (
            gettext("Every device proves itself now.")
            if do == "ask proof"
            else gettext("Only what looks like a program has to prove itself.")
        )
    surveys.allow_frames(form, values["origins"].split())
    return gettext("The pages that may show the form are saved.")


def _link(form: Form, facts: dict[str, str]) -> str:
    said = {name: value[:200] for name, value in facts.items() if value}
    if not said:
        raise BadInput(gettext("Write at least one fact that the link carries."))
    return settings.BASE_URL + surveys.link_about(form, said)


def _form(slug: str) -> Form:
    return get_object_or_404(Form.objects.select_related("channel", "current"), slug=slug)


def _other(request: HttpRequest, stored: Told) -> str:
    """The language beside the form's own."""
    # Not `lang`, which would turn the whole page into that language.
    asked = request.GET.get("beside", "")
    return asked if asked in stored.get("translations", {}) else ""


def _spoken(request: HttpRequest, told: Told, language: str) -> str:
    """The language to go on with: one that was just added, or the one that is worked on if it is still there."""
    added = request.POST.get("new_language", "") if request.POST.get("do") == "speak" else ""
    return added or (language if language in told.get("translations", {}) else "")


def _here(slug: str, name: str = "intake:builder", **query: str) -> str:
    said = urlencode({key: value for key, value in query.items() if value})
    return reverse(name, args=[slug]) + (f"?{said}" if said else "")


def _by_place(refused: BadInput) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for error in refused.errors:
        errors.setdefault(error.path, []).append(error.message)
    return errors or {"__all__": [refused.message]}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0
