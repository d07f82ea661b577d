"""What people keep: dashboards by name, and a mail on Mondays with what changed. "Nothing to do" is a valid mail."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from email.utils import parseaddr
from typing import Final
from urllib.parse import parse_qsl

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import get_language, get_language_bidi, gettext

from feedback_portal import languages
from feedback_portal.accounts.models import Role
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, InputError, NotAllowed, NotFound, Refused
from intake.cleaning import as_mail_line, clean_line
from kpis import recording
from kpis.dashboard import dashboard
from kpis.models import SavedDashboard
from kpis.periods import local_day
from kpis.questions import ask

MOST_SAVED: Final = 50
_BATCH: Final = 200

log = structlog.get_logger("portal.kpis")


def seen_by(actor: Actor) -> list[SavedDashboard]:
    """One's own, and those for one's role."""
    if actor.user is None:
        return []
    rows = SavedDashboard.objects.filter(Q(person=actor.user) | Q(role=actor.user.role)).select_related("person")
    return list(rows.order_by("name", "pk")[: 2 * MOST_SAVED])


def keep(*, name: str, query: str, role: str, mailed: bool, by: Actor) -> SavedDashboard:
    if by.user is None or not by.may_steer:
        raise NotAllowed(gettext("Only who sees KPIs can keep a dashboard."))
    called = clean_line(name, longest=80)
    if not called:
        raise _refused("name", gettext("Give the dashboard a name."))
    if role and (role not in Role.values or not by.sees_everything):
        raise _refused("role", gettext("Dashboards for a role are kept by managers. Keep it for yourself."))
    if SavedDashboard.objects.filter(person=by.user).count() >= MOST_SAVED:
        raise BadInput(gettext("You keep %(count)s dashboards. Forget one first.") % {"count": MOST_SAVED})
    try:
        with transaction.atomic():
            return SavedDashboard.objects.create(
                person=by.user, name=called, query=query[:600], role=role, is_mailed=mailed
            )
    except IntegrityError:
        raise _refused("name", gettext("You keep one of this name. Choose another name, or forget that one.")) from None


def forget(number: int, *, by: Actor) -> None:
    if not SavedDashboard.objects.filter(pk=number, person=by.user).delete()[0]:
        raise NotFound(gettext("You keep no such dashboard. Whoever keeps it can forget it."))


def mail_digests(*, at: datetime) -> int:
    """Mail every kept dashboard whose owner wishes it and that had no mail this week; how many went out.

    At least once: a crash after the server took one sends it again, under the same Message-ID.
    """
    zone = recording.reporting_zone()
    today = local_day(at, zone)
    monday = today - timedelta(days=today.weekday())
    due = SavedDashboard.objects.filter(Q(mailed_week=None) | Q(mailed_week__lt=monday), is_mailed=True)
    mail, sent = get_connection(), 0
    for saved in due.filter(person__is_active=True).select_related("person").order_by("pk")[:_BATCH]:
        try:
            with languages.speaking(saved.person.language):
                message = digest(saved, week=monday, at=at)
        except Refused as refused:
            # They may no longer see what they kept; it is not tried again before next week.
            log.info("digest_refused", dashboard=saved.pk, reason=refused.code)
        else:
            message.connection = mail
            message.send()
            sent += 1
        SavedDashboard.objects.filter(pk=saved.pk).update(mailed_week=monday)
    return sent


def digest(saved: SavedDashboard, *, week: date, at: datetime) -> EmailMultiAlternatives:
    """The mail, as text and as plain HTML, in the language that is spoken. Raises what `ask` raises where the owner may not see it any more."""
    board = None
    question = ask(_filters(saved.query), actor=Actor(user=saved.person), at=at)
    board = dashboard(question)
    base = settings.BASE_URL
    context = {
        "saved": saved,
        "board": board,
        # What a finding is about may be called by customers' words.
        "findings": [replace(each, claim=as_mail_line(each.claim)) for each in board.findings] if board else (),
        "question": question,
        "base": base,
        "language": get_language(),
        "direction": "rtl" if get_language_bidi() else "ltr",
        "url": f"{base}{reverse('kpis:dashboard')}" + (f"?{saved.query}" if saved.query else ""),
        "stop_url": f"{base}{reverse('kpis:saved')}",
    }
    host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    message = EmailMultiAlternatives(
        gettext("%(name)s: week of %(day)s") % {"name": saved.name, "day": date_format(week, "LONG_DAY")},
        render_to_string("kpis/digest.txt", context),
        to=[saved.person.email],
        headers={
            "Message-ID": f"<digest-{saved.pk}-{week:%Y%m%d}@{host}>",
            "List-Unsubscribe": f"<{context['stop_url']}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    message.attach_alternative(render_to_string("kpis/digest.html", context), "text/html")
    return message


def _filters(query: str) -> Mapping[str, str]:
    """A kept period of fixed days stays; without days it is the newest 13 weeks."""
    return dict(parse_qsl(query))


def _refused(field: str, message: str) -> BadInput:
    return BadInput(message, errors=(InputError(field, message),))
