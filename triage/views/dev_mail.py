"""The mails of a local start, which go to a folder instead of the world; nothing in them is ever run or fetched."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import wraps
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from feedback_portal.accounts.permissions import require_set_up

MOST_LISTED = 200
LARGEST = 1024 * 1024
# As the sink names them: the time of arrival, and a few letters that keep two of one moment apart.
_NAME = re.compile(r"(\d{8}T\d{6}\.\d{6})-[0-9a-f]{8}\.eml\Z", re.ASCII)


def only_while_developing(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A portal that serves the world has no such page, whoever asks; one that does not shows it to whoever set it up."""

    @login_required
    def signed_in(request: HttpRequest, **named: str) -> HttpResponse:
        require_set_up(request)
        return view(request, **named)

    @require_GET
    @wraps(view)
    def page(request: HttpRequest, **named: str) -> HttpResponse:
        if not settings.DEBUG:
            raise Http404
        return signed_in(request, **named)

    return page


@only_while_developing
def mails(request: HttpRequest) -> HttpResponse:
    names = sorted(
        (path.name for path in Path(settings.MAIL_DIR).glob("*.eml") if _NAME.match(path.name)), reverse=True
    )
    return render(request, "dev_mail.html", {"mails": [_shown(name) for name in names[:MOST_LISTED]]})


@only_while_developing
def mail(request: HttpRequest, name: str) -> HttpResponse:
    if not _NAME.match(name) or not (Path(settings.MAIL_DIR) / name).is_file():
        raise Http404
    return render(request, "dev_mail_message.html", {"mail": _shown(name), "list_url": reverse("triage:dev_mail")})


def _shown(name: str) -> dict[str, Any]:
    with (Path(settings.MAIL_DIR) / name).open("rb") as file:
        message = message_from_bytes(file.read(LARGEST), policy=policy.default)
    assert isinstance(message, EmailMessage)
    found = _NAME.match(name)
    assert found is not None
    return {
        "url": reverse("triage:dev_mail_message", args=[name]),
        "subject": str(message.get("Subject") or gettext("No subject")),
        "sender": str(message.get("From") or ""),
        "to": str(message.get("To") or message.get("X-Envelope-To") or ""),
        "at": datetime.strptime(found[1], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC),
        "text": _text(message),
        "headers": [{"name": header, "value": str(value)} for header, value in message.items()],
    }


def _text(message: EmailMessage) -> str:
    """The plain part, else the source of the HTML part as text."""
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except (LookupError, KeyError, ValueError):
        return (part.get_payload(decode=True) or b"").decode("utf-8", "replace")  # type: ignore[union-attr]
