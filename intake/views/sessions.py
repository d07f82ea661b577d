"""Focus groups, interviews, visits and calls: what was held, who took part, what they said, and notes typed meanwhile."""

import re
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext, ngettext
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from feedback_portal.accounts.models import User
from feedback_portal.accounts.permissions import actor_of
from feedback_portal.refusals import BadInput
from intake import sessions
from intake.connectors import spoken
from intake.models import FeedbackItem, Session, Submission
from intake.posts import posted
from intake.views.public import SeeOther

SHOWN = 50
# A phone may be without a network for days; what it kept is still taken in then.
NOTES_LAST = 14 * 24 * 3600
_SIGNER = signing.TimestampSigner(salt="intake.notes")
_FIELDS = ("kind", "title", "held_at", "place", "product", "moderators")
_MOST_BYTES = spoken.LONGEST_FILE


@login_required
@require_http_methods(["GET", "POST"])
def all_sessions(request: HttpRequest) -> HttpResponse:
    """The latest first, and a form for the next."""
    values = {name: request.POST.get(name, "") for name in _FIELDS}
    errors: dict[str, list[str]] = {}
    if request.method == "POST":
        try:
            made = sessions.begin(**{**values, "held_at": _moment(values["held_at"])}, by=actor_of(request).user)
        except BadInput as refused:
            errors = _by_place(refused)
        else:
            messages.success(
                request,
                gettext("%(title)s is begun. Add its transcript, or write notes during it.") % {"title": made.title},
            )
            return redirect("intake:session", made.pk)
    context = {
        "sessions": Session.objects.visible_to(actor_of(request))
        .defer("transcript")
        .order_by("-held_at", "-pk")[:SHOWN],
        "kinds": Session.Kind.choices,
        "values": values,
        "errors": errors,
    }
    return render(request, "intake/sessions/all.html", context, status=422 if errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def session(request: HttpRequest, number: int) -> HttpResponse:
    """One session; POST lays its transcript, names its people or takes in what they said."""
    held = get_object_or_404(Session.objects.visible_to(actor_of(request)).select_related("channel"), pk=number)
    errors: list[str] = []
    if request.method == "POST":
        try:
            messages.success(request, _done(request, held))
        except BadInput as refused:
            errors = [refused.message]
        else:
            return redirect("intake:session", held.pk)
    # By their own numbers: of people in a room each has a conversation of their own, whose thread may not be this session's.
    told = Submission.objects.filter(channel=held.channel, external_id__startswith=f"session-{held.pk}:")
    context = {
        "session": held,
        "speakers": sessions.speakers(held),
        "endings": ",".join(sessions.ENDINGS),
        "items": FeedbackItem.objects.filter(submission__in=told).order_by("-submission")[:SHOWN],
        "waiting": told.filter(completed_at=None)[:1],
        "errors": errors,
    }
    return render(request, "intake/sessions/one.html", context, status=422 if errors else 200)


@login_required
@require_http_methods(["GET"])
def notes(request: HttpRequest, number: int) -> HttpResponse:
    """A page for a phone or a tablet during a visit or a call."""
    held = get_object_or_404(Session.objects.visible_to(actor_of(request)).defer("transcript"), pk=number)
    user = actor_of(request).user
    token = _SIGNER.sign_object([held.pk, user.pk if user else 0])
    speakers = list(held.participants.order_by("pk").values_list("label", flat=True))
    return render(request, "intake/sessions/notes.html", {"session": held, "token": token, "speakers": speakers})


@csrf_exempt  # The signed token says who writes about what; a note kept on a phone outlives the cookie.
@require_POST
def note(request: HttpRequest, number: int) -> HttpResponse:
    post, _ = posted(request)
    held_pk, user_pk = _token(post.get("token", ""))
    if held_pk != number:
        raise BadInput(gettext("This page belongs to another session. Load it again."))
    held = get_object_or_404(Session.objects.defer("transcript").select_related("channel"), pk=number)
    sessions.note(
        held,
        text=post.get("text", ""),
        client_id=post.get("event", ""),
        speaker=post.get("speaker", ""),
        by=User.objects.filter(pk=user_pk, is_active=True).first(),
        at=timezone.now(),
    )
    return SeeOther(reverse("intake:session_notes", args=[number]))


def _done(request: HttpRequest, held: Session) -> str:
    at = timezone.now()
    match request.POST.get("do", ""):
        case "transcript":
            file = request.FILES.get("transcript")
            if file is None or file.size is None or file.size > _MOST_BYTES:
                raise BadInput(
                    gettext("Choose a transcript of at most %(value)s MB.") % {"value": _MOST_BYTES // 1024 // 1024}
                )
            sessions.lay_transcript(held, name=str(file.name), content=file.read())
            return gettext("The transcript is here. Say who moderated and who agreed, then take it in.")
        case "people":
            # Labels are names as the transcript has them; fields carry their place in the list.
            known = sessions.speakers(held)
            agreed = {
                each.label: request.POST.get(f"customer-{place}", "").strip()
                for place, each in enumerate(known)
                if request.POST.get(f"role-{place}") == "agreed"
            }
            moderators = [
                each.label for place, each in enumerate(known) if request.POST.get(f"role-{place}") == "moderator"
            ]
            for label in re.split(r"[,\n]", request.POST.get("more", ""))[: sessions.MOST_PARTICIPANTS]:
                if label.strip():
                    agreed.setdefault(label.strip(), "")
            sessions.name_people(held, agreed, moderators=moderators, at=at)
            return ngettext(
                "%(count)s person agreed. Only what they said is taken in.",
                "%(count)s people agreed. Only what they said is taken in.",
                len(agreed),
            ) % {"count": len(agreed)}
        case "take":
            taken = sessions.take_in(held, at=at)
            sentence = gettext(
                "Turns taken in: %(created)s. Changed: %(updated)s. Here already: %(known)s. Left out, since moderators and"
                " whoever did not agree are not taken in: %(left_out)s. Could not be read: %(unreadable)s."
            )
            return sentence % {
                "created": taken.created,
                "updated": taken.updated,
                "known": taken.known,
                "left_out": taken.left_out,
                "unreadable": taken.unreadable,
            }
    raise BadInput(gettext("Press one of the buttons of the page."))


def _moment(text: str) -> Any:
    """As browsers write a local time, by the clock of whoever reads."""
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return timezone.make_aware(found) if found and timezone.is_naive(found) else found


def _token(text: str) -> tuple[int, int]:
    try:
        held, user = _SIGNER.unsign_object(text, max_age=NOTES_LAST)
    except signing.SignatureExpired:
        raise BadInput(
            gettext("This page is too old to send from. Load it again, and write the note once more.")
        ) from None
    except (signing.BadSignature, ValueError):
        raise Http404 from None
    return int(held), int(user)


def _by_place(refused: BadInput) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for error in refused.errors:
        found.setdefault(error.path, []).append(error.message)
    return found
