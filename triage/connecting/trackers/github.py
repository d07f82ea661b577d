"""Issues of GitHub, and of its own-hosted kind."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext

from feedback_portal.marking import marked
from intake.connectors.base import Answer, Call, Request, Setting
from intake.connectors.documents import text_at
from intake.connectors.signatures import check
from triage.connecting.trackers import trackers
from triage.connecting.trackers.base import Changed, Comment, Desk, Issue, Standing, Tracker, moment

_REPOSITORY = re.compile(r"[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}\Z")
_NAMED = re.compile(r"(?:https://[^/\s]+/([^/\s]+/[^/\s]+)/issues/|#)?(\d{1,12})(?:[#?/]\S*)?\Z")
_MEANS = {"open": Standing.OPEN, "completed": Standing.DONE, "not_planned": Standing.DROPPED}


@trackers.register
class GitHub(Tracker):
    slug = "github"
    name = "GitHub"
    asks = (
        Setting("repository", "Repository", help='Owner and name, as in "acme/kettle".', is_required=True),
        Setting(
            "token",
            "Access token",
            help="It may read and write issues.",
            is_secret=True,
            is_required=True,
        ),
        Setting("hook_secret", "Secret of the webhook", help="As entered on GitHub's page.", is_secret=True),
        Setting("api", "Address of its API", default="https://api.github.com", is_required=True, is_called=True),
    )
    statuses = {
        Standing.OPEN: "open",
        Standing.DOING: "open",
        Standing.DONE: "completed",
        Standing.DROPPED: "not_planned",
    }
    hook_help = marked(
        "Under Settings, Webhooks of the repository; content type application/json, events Issues and Issue comments."
    )

    def desk(self, settings: Mapping[str, str], secrets: Mapping[str, str], ask: Callable[[Request], Answer]) -> Desk:
        headers = {
            "Authorization": f"Bearer {secrets.get('token', '')}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        repository = settings.get("repository", "")
        if not _REPOSITORY.match(repository):
            repository = "-/-"
        return Desk(settings, secrets, ask, headers, f"{settings.get('api', '').rstrip('/')}/repos/{repository}")

    def key_of(self, given: str, settings: Mapping[str, str]) -> str:
        found = _NAMED.match(given.strip())
        if found is None:
            raise ValueError(gettext('Write the number of an issue, as in "#12", or copy its address.'))
        if found[1] and found[1].casefold() != settings.get("repository", "").casefold():
            raise ValueError(
                gettext("That issue is of %(project)s. Choose the project it belongs to.") % {"project": found[1][:100]}
            )
        return found[2]

    def read(self, desk: Desk, key: str) -> Issue:
        return _issue(desk.get(f"/issues/{key}"))

    def comments(self, desk: Desk, key: str, *, since: datetime) -> Sequence[Comment]:
        found = desk.pages(f"/issues/{key}/comments?since={_stamp(since)}")
        return [
            Comment(text_at(each, "id"), text_at(each, "user", "login"), text_at(each, "body"), written_at)
            for each in found
            if (written_at := moment(each, "created_at")) is not None and written_at >= since
        ]

    def create(self, desk: Desk, *, title: str, text: str) -> str:
        return text_at(desk.tell("POST", "/issues", {"title": title, "body": text}), "number")

    def comment(self, desk: Desk, key: str, text: str) -> str:
        return text_at(desk.tell("POST", f"/issues/{key}/comments", {"body": text}), "id")

    def move(self, desk: Desk, key: str, status: str) -> None:
        change = {"state": "open"} if status == "open" else {"state": "closed", "state_reason": status}
        desk.tell("PATCH", f"/issues/{key}", change)

    def changed(self, desk: Desk, *, since: datetime, at: datetime) -> Sequence[Changed]:
        found = desk.pages(f"/issues?state=all&sort=updated&direction=asc&since={_stamp(since)}")
        return [Changed(text_at(each, "number"), text_at(each, "body")) for each in found]

    def verify(self, call: Call, secret: str) -> None:
        check(call.headers.get("x-hub-signature-256", ""), secret, call.body, prefix="sha256=", encoding="hex")

    def told_of(self, found: Any, settings: Mapping[str, str]) -> str:
        is_ours = text_at(found, "repository", "full_name").casefold() == settings.get("repository", "").casefold()
        return text_at(found, "issue", "number") if is_ours else ""


def _issue(found: Any) -> Issue:
    state = text_at(found, "state")
    # Issues closed before there were reasons have none.
    status = "open" if state == "open" else text_at(found, "state_reason") or "completed"
    means = _MEANS.get(status, Standing.DROPPED if state == "closed" else Standing.OPEN)
    return Issue(text_at(found, "number"), text_at(found, "title"), text_at(found, "html_url"), status, means)


def _stamp(at: datetime) -> str:
    return quote(at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), safe="")
