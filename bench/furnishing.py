"""What a demo leaves out, made once by the verbs a person would use, so that every page has something to show."""

import csv
from collections.abc import Sequence
from io import BytesIO, StringIO
from typing import Any


def furnish() -> None:
    from django.utils import timezone

    from feedback_portal.accounts.models import User
    from feedback_portal.accounts.permissions import Actor

    at = timezone.now()
    by = Actor(user=User.objects.filter(role="admin").order_by("pk").first())
    _ways_in(by, at)
    _organisation(by, at)
    _own_desk(by, at)
    _outside(by, at)
    _numbers(by, at)


def _ways_in(by: Any, at: Any) -> None:
    from intake import importing, places, relation_runs, sessions
    from intake.models import Channel, Form, Import, Place, RelationFile, Session

    if not Place.objects.exists():
        form = next(filter(places.can_be_answered, Form.objects.filter(state="published").order_by("pk")))
        languages = ["en", "de"]
        Place.objects.create(slug="counter", name="Counter in Lyon", form=form, languages=languages, exit_code="2468")
    if not Session.objects.exists():
        sessions.begin(kind="visit", title="Visit to Atelier Brandt", held_at=at, place="Hamburg", by=by.user)
    if not Import.objects.filter(file_name="said.csv").exists():
        channel, _ = Channel.objects.get_or_create(slug="said", defaults={"name": "Said", "kind": "csv_file"})
        file = _table(("id", "text", "stars"), ("1", "The lid closes well.", "5"), ("2", "It drips.", "2"))
        importing.upload(channel, file, name="said.csv", by=by.user)
    if not RelationFile.objects.exists():
        file = _table(("customer_id", "email", "name"), ("7", "ana@example.com", "Ana"))
        relation_runs.upload(file, name="people.csv", by=by.user, told={})


def _organisation(by: Any, at: Any) -> None:
    from feedback_portal.accounts.models import Absence, ApiKey, Team, User, WorkCalendar
    from triage import working_hours
    from triage.models import Target

    if not WorkCalendar.objects.exists():
        hours = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), "08:00-12:00, 13:00-17:00")
        told = {"slug": "workshop", "name": "Workshop", "time_zone": "Europe/Berlin", "hours": hours}
        working_hours.create_calendar(told, by=by)
    team = Team.objects.filter(tickets__isnull=False).order_by("slug").first()
    if team and not Target.objects.exists():
        Target.objects.create(team=team, hours=8)
    away = User.objects.filter(role="agent").order_by("pk").last()
    if away and not Absence.objects.exists():
        Absence.objects.create(person=away, first_day=at.date(), last_day=at.date())
    if not ApiKey.objects.exists():
        ApiKey.issue("Shop", scopes=["tickets:read"])


def _own_desk(by: Any, at: Any) -> None:
    from triage.desk import saved
    from triage.models import BulkAct, SavedView

    if not SavedView.objects.exists():
        view = saved.save(None, {"name": "Leaks in a hurry", "query": "sla:<4h", "sharing": "all"}, by=by)
        saved.subscribe(view, "day", by=by)
    if not BulkAct.objects.exists():
        BulkAct.objects.create(person=by.user, verb="accept", label="Accept what is proposed", asked_at=at)


def _outside(by: Any, at: Any) -> None:
    from triage.connecting import projects, subscribers
    from triage.models import Board, BoardPost, Subscriber, Theme, TrackerProject

    if not Subscriber.objects.exists():
        kinds = ["ticket.resolved", "theme.grew"]
        told = {"name": "Customer relations", "url": "https://crm.example.com/portal", "kinds": kinds}
        hook, _ = subscribers.create(told, by=by, at=at)
        subscribers.test(hook, by=by, at=at)
    if not TrackerProject.objects.exists():
        asked = {"repository": "halden/h4", "token": "none", "api": "https://api.github.com"}
        projects.create("github", {"name": "H4 firmware", "asked": asked}, by=by, at=at)
    theme = Theme.objects.order_by("-size").first()
    if theme and not BoardPost.objects.exists():
        Board.objects.update_or_create(only=True, defaults={"is_open": True, "intro": "What many of you told us."})
        title = "The tank leaks at its seal"
        BoardPost.objects.create(theme=theme, title=title, text="We found out why.", published_at=at)


def _numbers(by: Any, at: Any) -> None:
    from kpis import questions, reports
    from kpis.models import Report
    from kpis.tasks import judge_effects

    judge_effects()
    if not Report.objects.exists():
        reports.freeze(questions.ask({}, actor=by, at=at), title="Half a year", by=by, at=at)


def _table(*rows: Sequence[str]) -> BytesIO:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return BytesIO(text.getvalue().encode())
