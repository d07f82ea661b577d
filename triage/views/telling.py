"""The one review before everybody whose words an action answers is told."""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from feedback_portal.accounts.permissions import actor_of
from feedback_portal.refusals import BadInput
from triage.improving import improvements, telling
from triage.views.answering import done, errors_of


@login_required
@require_http_methods(["GET", "POST"])
def review(request: HttpRequest, reference: str) -> HttpResponse:
    actor = actor_of(request)
    found = improvements.find(reference, by=actor)
    errors: dict[str, list[str]] = {}
    names = dict(settings.LANGUAGES)
    texts = {"": found.public_text} | {code: request.POST.get(f"text-{code}", "") for code in names}
    if request.method == "POST":
        texts[""] = request.POST.get("text", "")
        try:
            telling.approve(found, by=actor, at=timezone.now(), texts=texts)
        except BadInput as refused:
            errors = errors_of(refused)
        else:
            return done(request, gettext("They are being told."), "triage:tell", found.reference)
    told: dict[str, Any] = telling.review(found)
    context = {
        "action": found,
        "counts": [(told["counts"][why], gettext(words)) for why, words in telling.WHY.items() if told["counts"][why]],
        "will_hear": told["counts"]["told"],
        "text": texts[""],
        "languages": [
            (code, names[code], count, texts.get(code, ""))
            for code, count in told["languages"].most_common()
            if code != settings.LANGUAGE_CODE
        ],
        "examples": told["examples"],
        "progress": telling.progress(found),
        "errors": errors,
    }
    return render(request, "triage/tell.html", context, status=422 if errors else 200)
