"""Issues of Jira, in the cloud or on a server of one's own: version 2 of its API, which both have and which takes plain text."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext

from feedback_portal.marking import marked
from intake.connectors.adf import is_adf, text_of_adf
from intake.connectors.base import Answer, Call, Request, Setting
from intake.connectors.documents import at as value_at
from intake.connectors.documents import list_at, text_at
from intake.connectors.signatures import check
from triage.connecting.trackers import trackers
from triage.connecting.trackers.base import (
    A_PAGE,
    MOST_PAGES,
    Changed,
    Comment,
    Desk,
    Issue,
    NotThere,
    Standing,
    Tracker,
    Unwilling,
    moment,
)

_NAMED = re.compile(r"(?:https://\S+/browse/)?([A-Za-z][A-Za-z0-9_]{0,79})-(\d{1,12})(?:[#?/]\S*)?\Z")
_CATEGORIES = {"new": Standing.OPEN, "indeterminate": Standing.DOING, "done": Standing.DONE}


@trackers.register
class Jira(Tracker):
    slug = "jira"
    name = "Jira"
    asks = (
        Setting(
            "site",
            "Address",
            help='As in "https://acme.atlassian.net".',
            is_required=True,
            is_called=True,
        ),
        Setting("project", "Project", help='Its key, as in "KET".', is_required=True),
        Setting("kind", "Kind of new issues", default="Task", is_required=True),
        Setting(
            "email",
            "E-mail of the account",
            help="In the cloud; leave it empty for a personal access token.",
        ),
        Setting("token", "API token", is_secret=True, is_required=True),
        Setting("hook_secret", "Secret of the webhook", help="As entered on Jira's page.", is_secret=True),
    )
    statuses = {
        Standing.OPEN: "To Do",
        Standing.DOING: "In Progress",
        Standing.DONE: "Done",
        Standing.DROPPED: "Done",
    }
    hook_help = marked("Under System, WebHooks; events Issue updated and deleted, Comment created, with a secret.")

    def desk(self, settings: Mapping[str, str], secrets: Mapping[str, str], ask: Callable[[Request], Answer]) -> Desk:
        email, token = settings.get("email", ""), secrets.get("token", "")
        key = f"Basic {base64.b64encode(f'{email}:{token}'.encode()).decode()}" if email else f"Bearer {token}"
        headers = {"Authorization": key, "Accept": "application/json"}
        return Desk(settings, secrets, ask, headers, f"{settings.get('site', '').rstrip('/')}/rest/api/2")

    def key_of(self, given: str, settings: Mapping[str, str]) -> str:
        found = _NAMED.match(given.strip())
        project = settings.get("project", "").upper()
        if found is None:
            raise ValueError(
                gettext('Write the key of an issue, as in "%(project)s-12", or copy its address.')
                % {"project": project}
            )
        if found[1].upper() != project:
            raise ValueError(
                gettext("That issue is of %(project)s. Choose the project it belongs to.")
                % {"project": found[1].upper()}
            )
        return f"{project}-{found[2]}"

    def read(self, desk: Desk, key: str) -> Issue:
        found = desk.get(f"/issue/{key}?fields=summary,status")
        category = text_at(found, "fields", "status", "statusCategory", "key")
        number = text_at(found, "key")
        return Issue(
            # An issue that was moved to another project answers under its new key; it stays linked under the old one.
            key,
            text_at(found, "fields", "summary"),
            f"{desk.settings.get('site', '').rstrip('/')}/browse/{quote(number, safe='')}",
            text_at(found, "fields", "status", "name"),
            _CATEGORIES.get(category, Standing.OPEN),
        )

    def comments(self, desk: Desk, key: str, *, since: datetime) -> Sequence[Comment]:
        found = desk.get(f"/issue/{key}/comment?orderBy=-created&maxResults={A_PAGE}")
        newest = [
            Comment(text_at(each, "id"), text_at(each, "author", "displayName"), _words(each), written_at)
            for each in list_at(found, "comments")
            if (written_at := moment(each, "created")) is not None and written_at >= since
        ]
        return sorted(newest, key=lambda each: (each.written_at, each.number))

    def create(self, desk: Desk, *, title: str, text: str) -> str:
        fields = {
            "project": {"key": desk.settings.get("project", "").upper()},
            "issuetype": {"name": desk.settings.get("kind", "Task")},
            "summary": title,
            "description": text,
        }
        return text_at(desk.tell("POST", "/issue", {"fields": fields}), "key")

    def comment(self, desk: Desk, key: str, text: str) -> str:
        return text_at(desk.tell("POST", f"/issue/{key}/comment", {"body": text}), "id")

    def move(self, desk: Desk, key: str, status: str) -> None:
        """Along the transition of its workflow that leads there from where it is."""
        ways = list_at(desk.get(f"/issue/{key}/transitions"), "transitions")
        for way in ways:
            if text_at(way, "to", "name").casefold() == status.casefold():
                desk.tell("POST", f"/issue/{key}/transitions", {"transition": {"id": text_at(way, "id")}})
                return
        raise Unwilling(
            gettext('No transition leads to "%(status)s" from where the issue stands. Move it in Jira.')
            % {"status": status[:80]}
        )

    def changed(self, desk: Desk, *, since: datetime, at: datetime) -> Sequence[Changed]:
        # Jira reads times in its account's zone, and minutes ago everywhere alike.
        minutes = int((at - since) / timedelta(minutes=1)) + 2
        project = desk.settings.get("project", "").upper().replace('"', "")
        question: dict[str, Any] = {
            "jql": f'project = "{project}" AND updated >= -{minutes}m ORDER BY updated ASC',
            "fields": ["description"],
            "maxResults": A_PAGE,
        }
        found: list[Changed] = []
        for _ in range(MOST_PAGES):
            try:
                page = desk.tell("POST", "/search/jql", question)
            except NotThere:
                # A server of one's own has the search that the cloud gave up.
                page = desk.tell("POST", "/search", question)
            found += [
                Changed(text_at(one, "key"), _text(value_at(one, "fields", "description", default="")))
                for one in list_at(page, "issues")
            ]
            token = text_at(page, "nextPageToken")
            if not token:
                break
            question["nextPageToken"] = token
        return found

    def verify(self, call: Call, secret: str) -> None:
        check(call.headers.get("x-hub-signature", ""), secret, call.body, prefix="sha256=", encoding="hex")

    def told_of(self, found: Any, settings: Mapping[str, str]) -> str:
        key = text_at(found, "issue", "key")
        return key if key.upper().startswith(f"{settings.get('project', '').upper()}-") else ""


def _words(comment: Any) -> str:
    return _text(value_at(comment, "body", default=""))


def _text(found: Any) -> str:
    return text_of_adf(found) if is_adf(found) else text_at(found)
