"""Issues of GitLab, ours or anybody's."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext

from feedback_portal.marking import marked
from intake.connectors.base import Answer, Call, Forged, Request, Setting
from intake.connectors.documents import at as value_at
from intake.connectors.documents import text_at
from intake.connectors.signatures import same
from triage.connecting.trackers import trackers
from triage.connecting.trackers.base import Changed, Comment, Desk, Issue, Standing, Tracker, moment

_NAMED = re.compile(r"(?:https://[^/\s]+/(\S+?)/-/(?:issues|work_items)/|#)?(\d{1,12})(?:[#?/]\S*)?\Z")


@trackers.register
class GitLab(Tracker):
    slug = "gitlab"
    name = "GitLab"
    asks = (
        Setting("project", "Project", help='Its path, as in "acme/devices/kettle".', is_required=True),
        Setting("token", "Access token", help="Of the scope api.", is_secret=True, is_required=True),
        Setting(
            "hook_secret",
            "Secret token of the webhook",
            help="As entered on GitLab's page.",
            is_secret=True,
        ),
        Setting("site", "Address", default="https://gitlab.com", is_required=True, is_called=True),
    )
    statuses = {
        Standing.OPEN: "opened",
        Standing.DOING: "opened",
        Standing.DONE: "closed",
        Standing.DROPPED: "closed",
    }
    hook_help = marked("Under Settings, Webhooks of the project; triggers Issues events and Comments.")

    def desk(self, settings: Mapping[str, str], secrets: Mapping[str, str], ask: Callable[[Request], Answer]) -> Desk:
        headers = {"PRIVATE-TOKEN": secrets.get("token", "")}
        project = quote(settings.get("project", ""), safe="")
        return Desk(
            settings, secrets, ask, headers, f"{settings.get('site', '').rstrip('/')}/api/v4/projects/{project}"
        )

    def key_of(self, given: str, settings: Mapping[str, str]) -> str:
        found = _NAMED.match(given.strip())
        if found is None:
            raise ValueError(gettext('Write the number of an issue, as in "#12", or copy its address.'))
        if found[1] and found[1].casefold() != settings.get("project", "").casefold():
            raise ValueError(
                gettext("That issue is of %(project)s. Choose the project it belongs to.") % {"project": found[1][:100]}
            )
        return found[2]

    def read(self, desk: Desk, key: str) -> Issue:
        return _issue(desk.get(f"/issues/{key}"))

    def comments(self, desk: Desk, key: str, *, since: datetime) -> Sequence[Comment]:
        """What GitLab notes by itself (`system`) is left out."""
        notes = desk.get(f"/issues/{key}/notes?sort=desc&order_by=created_at&per_page=100")
        found = [
            Comment(text_at(each, "id"), text_at(each, "author", "name"), text_at(each, "body"), written_at)
            for each in (notes if isinstance(notes, list) else [])
            if value_at(each, "system", default=False) is not True
            and (written_at := moment(each, "created_at")) is not None
            and written_at >= since
        ]
        return found[::-1]

    def create(self, desk: Desk, *, title: str, text: str) -> str:
        return text_at(desk.tell("POST", "/issues", {"title": title, "description": text}), "iid")

    def comment(self, desk: Desk, key: str, text: str) -> str:
        return text_at(desk.tell("POST", f"/issues/{key}/notes", {"body": text}), "id")

    def move(self, desk: Desk, key: str, status: str) -> None:
        desk.tell("PUT", f"/issues/{key}", {"state_event": "close" if status == "closed" else "reopen"})

    def changed(self, desk: Desk, *, since: datetime, at: datetime) -> Sequence[Changed]:
        stamp = quote(since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), safe="")
        found = desk.pages(f"/issues?scope=all&order_by=updated_at&sort=asc&updated_after={stamp}")
        return [Changed(text_at(each, "iid"), text_at(each, "description")) for each in found]

    def verify(self, call: Call, secret: str) -> None:
        """GitLab sends the secret itself; an unset one proves nothing."""
        if not secret or not same(call.headers.get("x-gitlab-token", ""), secret):
            raise Forged(gettext("The token is not the one of this project."))

    def told_of(self, found: Any, settings: Mapping[str, str]) -> str:
        named = text_at(found, "project", "path_with_namespace")
        if named.casefold() != settings.get("project", "").casefold():
            return ""
        kind = text_at(found, "object_kind")
        return text_at(found, "issue", "iid") if kind == "note" else text_at(found, "object_attributes", "iid")


def _issue(found: Any) -> Issue:
    status = text_at(found, "state")
    means = Standing.DONE if status == "closed" else Standing.OPEN
    return Issue(text_at(found, "iid"), text_at(found, "title"), text_at(found, "web_url"), status, means)
