"""A portal without a database behind the real templates: their contexts as the templates describe them, filled by hand.

It lets the look and the scripts be tested for states that are hard to reach (a colleague was faster, the network is
gone) and before a single row exists. What the real views put into these contexts is tested with the views.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from feedback_portal.refusals import Refused
from intake.form_words import words_in

AT = datetime(2025, 11, 21, 9, 14, tzinfo=UTC)
ADA = SimpleNamespace(
    is_authenticated=True, name="Ada Okafor", email="ada@example.com", initials="AO", colour=1, role="admin"
)
HOSTILE = '<img src=x onerror="alert(1)"><b hx-get="/evil/" hx-trigger="load">bold</b> <script>alert(2)</script>'

TITLES = {
    "F-20493": "Water under the machine after every second cup",
    "F-20494": "Boiler makes a burning smell, unplugged it",
    "F-20490": "Colis livré sans le filtre, deuxième fois",
    "F-20489": "Invoice shows the wrong VAT number again",
    "F-20469": "المضخة تصدر صوتًا عاليًا! لماذا؟",
    "F-20470": HOSTILE,
}
decided: set[str] = set()
received: list[dict[str, list[str]]] = []
"""What was posted to /decide/, to be looked at by the tests."""


def reset() -> None:
    decided.clear()
    received.clear()


def left() -> list[str]:
    return [reference for reference in TITLES if reference not in decided]


def row(reference: str, *, current: str | None) -> dict[str, Any]:
    safety = "smell" in TITLES[reference]
    return {
        "reference": reference,
        "url": f"/triage/?q=is%3Auntriaged&item={reference}",
        "title": TITLES[reference],
        "excerpt": "The seal on the left of the tank looks twisted and it was like that out of the box.",
        "sentiment": "none" if reference == "F-20470" else "neg",
        "age_label": "2h",
        "received_at": AT,
        "is_unread": reference != "F-20490",
        "is_current": reference == current,
        "tags": ["leak", "a much longer tag than usual"],
        "language": "fr" if reference == "F-20490" else "",
        "suggestion": {"label": "Safety, page on-call", "kind": "safety"}
        if safety
        else {"label": "Quality", "kind": "proposed"},
        "due": {"label": "38 min", "level": "breach"} if safety else {"label": "1 h 20", "level": "soon"},
        "assignee": {"initials": "MB", "name": "Mina Berg", "colour": 2},
    }


def queue(request: HttpRequest, current: str | None) -> dict[str, Any]:
    asked = _query(request)
    rows = [row(reference, current=current) for reference in left()] if asked != "nothing" else []
    return {
        "title": "Triage",
        "total_label": f"{len(rows)} to decide",
        "tokens": [{"text": word, "remove_url": "/triage/"} for word in asked.split()],
        "problems": ["There is no field foo. Use stage:, team: or tag:."] if "foo:" in asked else [],
        "tabs": [
            {"name": "mine", "label": "For me", "count": 47, "url": "/triage/", "current": True},
            {"name": "all", "label": "Everything", "count": 203, "url": "/triage/?tab=all", "current": False},
        ],
        "groups": [
            {"label": "Due within 2 hours", "count": 2, "rows": rows[:2]},
            {"label": "Today", "count": 4, "rows": rows[2:]},
        ]
        if rows
        else [],
        "next_url": "/triage/?after=1" if rows else "",
        "empty_kind": request.GET.get("empty", "filter"),
        "empty_note": "You placed 47 items in 31 minutes.",
        "empty_links": [{"label": "See unclaimed items", "url": "/triage/?tab=all", "is_primary": True}],
        "new": {"label": "3 new since you started", "url": "/triage/?q=" + asked},
        "poll_url": "/triage/?since=7" if asked == "polled" else "",
    }


def item(request: HttpRequest, reference: str | None) -> dict[str, Any] | None:
    if reference not in TITLES:
        return None
    text = HOSTILE if reference == "F-20470" else "There is water under the machine.\n\nIs this batch known?"
    return {
        "reference": reference,
        "version": 3,
        "title": TITLES[reference],
        "is_chosen": "item" in request.GET or bool(request.htmx),  # type: ignore[attr-defined]
        "verbs": ["route", "merge", "snooze", "resolve", "tag", "claim", "reply", "ask", "note"],
        "segments": [{"text": text[:9], "marked": False}, {"text": text[9:], "marked": True}],
        "language": "",
        "customer": {
            "name": "Jonas Lindqvist",
            "account": "Brandt Studio, 40 seats",
            "value_label": "€12.4k a year",
            "open_items": 2,
            "last_score": "4 of 10, July",
            "language": "English",
        },
        "channel_name": "product page form",
        "received_at": AT,
        "attachments": [{"name": "plate.pdf", "url": "/media/1", "thumbnail_url": ""}],
        "suggestion": {
            "sentence": "Route to Quality, tag “seal leak”",
            "reasons": [
                {"text": "Wording matches 27 leak reports Quality kept", "url": ""},
                {"text": "Batch H4-2231 has 9 leaks in 14 days, 2.1 expected", "url": "/signals/1/"},
            ],
            "record": "Kept 93 times in 100",
            "sample": "n = 412",
            "is_safety": "smell" in TITLES[reference],
            "accept": [{"name": "verb", "value": "route"}, {"name": "team", "value": "quality"}],
            "dismiss": [{"name": "verb", "value": "dismiss"}],
        },
        "timeline": [
            {
                "icon": "mail",
                "sentence": "Receipt sent with the link",
                "at": AT,
                "note": "",
                "is_internal": False,
            },
            {
                "icon": "note",
                "sentence": "Mina wrote a note",
                "at": AT,
                "note": HOSTILE,
                "is_internal": True,
            },
        ],
        "explanation": {
            "sentence": "The rule “Leaks to Quality” sent it here.",
            "routed_at": AT,
            "as_of": AT,
            "tried": 1,
            "rules": [
                {
                    "name": "Leaks to Quality",
                    "is_winner": True,
                    "conditions": [
                        {"text": "topic is leak", "holds": True},
                        {"text": "language is French", "holds": False},
                    ],
                }
            ],
        },
        "status_label": "New",
        "stage": "",
        "team": "",
        "owner": None,
        "severity": {"label": "S2, function lost", "is_high": True},
        "tags": ["leak"],
        "due": {"label": "11:52, 38 min left", "level": "breach"},
        "duplicates": [
            {
                "reference": "F-20377",
                "title": "Leaks from the left",
                "score": "0.91",
                "url": "/triage/?item=F-20377",
                "detail": "open",
            }
        ],
        "action": {
            "reference": "A-118",
            "title": "Re-seat tank seal",
            "url": "/actions/A-118/",
            "sentence": "14 items, due 4 Dec",
            "steps": [
                {"name": "Plan", "state": "done"},
                {"name": "Do", "state": "now"},
                {"name": "Check", "state": "todo"},
                {"name": "Act", "state": "todo"},
            ],
        },
    }


def nobody(request: HttpRequest) -> HttpResponse:
    return render(request, "triage/_present.html")


def workbench(request: HttpRequest) -> HttpResponse:
    first = next(iter(left()), None)
    reference = request.GET.get("item", first)
    shown = queue(request, reference)
    context = {"user": ADA, "query": _query(request), "queue": shown, **_BULK}
    target = request.htmx.target  # type: ignore[attr-defined]
    if target == "live":
        fresh = {"label": "4 new since you started", "url": "/triage/"}
        return render(request, "triage/_live.html", {"queue": {"new": fresh}})
    if target == "more":
        older = [row(reference, current=None) | {"reference": reference + "0"} for reference in TITLES]
        return render(
            request, "triage/_more.html", {"queue": {"groups": [{"label": "", "rows": older}], "next_url": ""}, **_BULK}
        )
    context["item"] = item(request, reference) if shown["groups"] else None
    template = {"item": "triage/_item.html", "queue": "triage/_queue.html"}.get(target, "triage/workbench.html")
    return render(request, template, context)


def verb(request: HttpRequest, reference: str, verb: str, **more: Any) -> HttpResponse:
    context = {
        "user": ADA,
        "query": _query(request),
        "item": item(request, reference),
        "verb": verb,
        "values": request.POST,
        "teams": [
            {"slug": name.lower(), "name": name, "detail": "12 open", "is_suggested": name == "Quality"}
            for name in ("Design", "Logistics", "Quality")
        ],
        "people": [{"id": "1", "name": "Mina Berg", "detail": "Quality"}],
        "resolutions": [
            {"value": "answered", "label": "Answered", "detail": ""},
            {"value": "declined", "label": "Declined", "detail": "Needs a reason"},
        ],
        "times": [{"value": "2025-11-22T09:00Z", "label": "Tomorrow", "detail": "Sat 22 Nov, 09:00"}],
        "due": {"label": "at 11:52 today"},
        "candidates": [
            {
                "reference": "F-20377",
                "title": "Leaks from the left",
                "excerpt": "It drips.",
                "score": "same customer",
                "detail": "open",
            }
        ],
        "topics": [
            {"slug": "leak", "name": "Leak", "parent": "Product", "is_on": True, "is_suggested": False},
            {"slug": "noise", "name": "Noise", "parent": "Product", "is_on": False, "is_suggested": True},
        ],
    }
    return render(request, f"triage/{verb}.html", context | more, status=422 if more else 200)


@require_POST
def decide(request: HttpRequest, reference: str) -> HttpResponseBase:
    received.append({name: request.POST.getlist(name) for name in request.POST if name != "csrfmiddlewaretoken"})
    said = request.POST.get("text", "")
    if said == "somebody was faster":
        refused = Refused("Mina routed this to Logistics 4 seconds ago. Look at it as it is now, then decide again.")
        refused.status, refused.title = 409, "Somebody was faster"
        raise refused
    if said == "break":
        return HttpResponse("broken", status=500)
    asked = request.POST["verb"]
    if request.POST.get("resolution") == "declined" and not request.POST.get("reason"):
        return verb(request, reference, asked, errors={"reason": ["Write what the customer will read."]})
    stays = asked in {"note", "reply", "ask", "claim", "dismiss"}
    if not stays:
        decided.add(reference)
    following = reference if stays else request.POST.get("next") or next(iter(left()), None)
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(f"/triage/?item={following}")
    context = {
        "query": _query(request),
        "decided": reference,
        "row": row(reference, current=reference) if stays else None,
        "item": item(request, following),
        "total_label": f"{len(left())} to decide",
        "toast": {"sentence": f"{asked}: {reference}", "undo_url": "/triage/undo/"},
        **_BULK,
    }
    return render(request, "triage/_decided.html", context)


@require_POST
def undo(request: HttpRequest) -> HttpResponseBase:
    decided.clear()
    first = left()[0]
    context = {
        "query": _query(request),
        "queue": queue(request, first),
        "item": item(request, first),
        "toast": {"sentence": "Undone", "undo_url": ""},
        **_BULK,
    }
    return render(request, "triage/_decided.html", context)


def page(template: str, **context: Any) -> Callable[[HttpRequest], HttpResponse]:
    return lambda request: render(request, template, context)


@csrf_exempt
def form(request: HttpRequest) -> HttpResponse:
    wrong = "wrong" in request.GET

    def question(name: str, kind: str, label: str, **more: Any) -> dict[str, Any]:
        return {
            "name": name,
            "kind": kind,
            "label": label,
            "help": "",
            "required": False,
            "errors": [],
            "value": "",
        } | more

    words = ("Bad", "Poor", "Fair", "Good", "Great")
    questions = [
        question(
            "how",
            "scale",
            "How was the repair?",
            required=True,
            faces=True,
            options=[{"value": place, "label": word} for place, word in enumerate(words, 1)],
            errors=["Choose one of the five."] if wrong else [],
        ),
        question(
            "nps",
            "scale",
            "Would you recommend us?",
            options=[{"value": value, "label": ""} for value in range(11)],
            low_label="Not at all",
            high_label="Very likely",
        ),
        question("text", "text", "What happened?", help="In any language.", required=True, long=True, max_length=20000),
        question("order", "text", "Order number"),
        question(
            "what",
            "choice",
            "What is it about?",
            value=["d"],
            options=[
                {"value": "m", "label": "The machine", "detail": "Leaks, noise"},
                {"value": "d", "label": "Delivery"},
            ],
        ),
        question("photo", "file", "A photo", accept="image/*", multiple=True, limit_label="Up to 3 photos."),
        question(
            "contact",
            "contact",
            "How can we reach you?",
            fields=[
                {
                    "name": "email",
                    "label": "E-mail address",
                    "type": "email",
                    "autocomplete": "email",
                    "value": "ana@" if wrong else "",
                    "errors": ["It needs a part after the @."] if wrong else [],
                }
            ],
        ),
        question("ok", "consent", "You may write to me about this.", help="We delete your address after a year."),
    ]
    context = {
        "form": {
            "title": "After a repair",
            "intro": "One question is enough; the rest helps.",
            "url": "/f/repair/",
            "time_label": "About a minute",
            "privacy_url": "/privacy/",
        },
        "questions": questions,
        "hidden": [{"name": "key", "value": "k"}, {"name": "sheet-copy", "value": ""}],
        "trap": "website",
        "words": words_in("en"),
        "errors_title": "2 answers need another look" if wrong else "",
        "languages": [{"code": "sv", "name": "Svenska", "url": "?lang=sv", "is_current": False}],
    }
    if request.method == "POST":
        received.append({name: [f.name or "" for f in request.FILES.getlist(name)] for name in request.FILES})
        received.append({name: request.POST.getlist(name) for name in request.POST})
        return redirect("/f/repair/thanks/")
    return render(request, "intake/form.html", context, status=422 if wrong else 200)


def refuse(request: HttpRequest) -> HttpResponse:
    raise Refused("The import has already been read. Upload the file again if its rows changed.")


def _query(request: HttpRequest) -> str:
    return request.POST.get("q") or request.GET.get("q", "")


_BULK = {"bulk_url": "/triage/bulk/", "teams": [{"slug": "quality", "name": "Quality"}]}
TRACKING: dict[str, Any] = {
    "reference": "FB-7K3M-Q9X",
    "sent_at": AT,
    "headline": "You found a bad batch. We are fixing the seal.",
    "lead": "Nine other customers reported the same leak.",
    "steps": [
        {"name": "Received", "detail": "21 Nov, 09:14", "state": "done"},
        {"name": "Read by Ada", "detail": "21 Nov, 11:20", "state": "done"},
        {"name": "With Quality", "detail": "21 Nov, 11:21", "state": "done"},
        {"name": "Change under way", "detail": "Expected 4 December", "state": "now"},
        {"name": "Done, and you know", "detail": "We write to you", "state": "todo"},
    ],
    "said": {"text": HOSTILE, "language": "en"},
    "did": {
        "heading": "We are doing",
        "paragraphs": ["Every seal is re-seated by hand."],
        "who": {"name": "Priya Raman", "initials": "PR", "colour": 2, "team": "Quality"},
    },
    "log": [
        {"at": AT, "title": "Ada read your message", "text": "She asked for nothing more."},
        {"at": AT, "title": "We received your feedback", "text": ""},
    ],
    "reply": {"url": "/t/x/reply/", "placeholder": "A detail, or a question", "button": "Send to Priya", "errors": []},
    "rating": {"url": "/t/x/rate/", "question": "", "value": 4},
    "others": [{"title": "Delivery boxes got soaked", "text": "New carton since September", "url": "/changes/1/"}],
    "choices": {
        "sentence": "Only people with this link see this page.",
        "contact_url": "/t/x/contact/",
        "email": "jonas@example.com",
        "export_url": "/t/x/export/",
        "delete_url": "/t/x/delete/",
    },
}
PARKED: dict[str, Any] = {
    "user": ADA,
    "total": 2,
    "replay_url": "/parked/",
    "stages": [{"label": "Reading", "count": 2, "url": "?stage=reading", "current": True}],
    "parked": [
        {
            "stage": "normalise",
            "stage_label": "Reading",
            "id": 1,
            "label": "Submission T-19 of support-api",
            "url": "/x/",
            "attempts": 8,
            "last_error": "CannotRead: the field text is missing at items.3.text",
            "since": AT,
        }
    ],
}
FORM = {"title": "After a repair", "url": "/f/repair/", "description": "How the repair went, and whether it holds."}
MAIL = {
    "subject": "We have your feedback",
    "sender": "feedback@example.com",
    "to": "ana@example.com",
    "at": AT,
    "text": f"See https://example.com/t/abc/\n{HOSTILE}",
    "headers": [{"name": "Message-ID", "value": "<1@x>"}],
    "url": "/mail/1/",
}

triage = [
    path("triage/", workbench, name="workbench"),
    path("triage/bulk/", undo),
    path("triage/next/", undo, name="claim_next"),
    path("triage/presence/", nobody, name="presence"),
    path("triage/undo/", undo),
    path("settings/absences/", refuse, name="absences"),
    path("changes/", refuse, name="changes"),
    path("board/", refuse, name="board"),
    *(
        path(f"triage/{name}/", refuse, name=name)
        for name in ("acts", "preferences", "palette", "notices", "complete", "keep_snippets")
    ),
    path("triage/<reference>/decide/", decide, name="decide"),
    path("triage/<reference>/snippets/", refuse, name="snippets"),
    path("triage/<reference>/<verb>/", verb, name="verb"),
]
urlpatterns = [
    path("", page("home.html", forms=[FORM])),
    path("empty/", page("home.html", forms=[])),
    path("", include("feedback_portal.accounts.urls")),
    path("", include((triage, "triage"))),
    path("", include(([path("offline.js", refuse, name="offline")], "intake"))),
    path("f/repair/", form),
    path(
        "f/repair/thanks/",
        page(
            "intake/thanks.html",
            form=FORM,
            reference="FB-7K3M-Q9X",
            tracking_url="https://example.com/t/5Y1xkV0m2b3c4d5e6f7g8h9i0jKLMNOP/",
            expects="A person reads it by Monday, 24 November.",
            mailed=False,
            words=words_in("en"),
        ),
    ),
    path("t/x/", page("triage/tracking.html", **TRACKING)),
    path("parked/", page("parked.html", **PARKED)),
    path("parked/none/", page("parked.html", user=ADA)),
    path("mail/", page("dev_mail.html", mails=[MAIL])),
    path("mail/1/", page("dev_mail_message.html", mail=MAIL, list_url="/mail/")),
    path("refused/", refuse),
    *(path(f"error/{status}/", page(f"{status}.html")) for status in (400, 403, 404, 500, 503)),
]
