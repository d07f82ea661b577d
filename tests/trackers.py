"""Stand-ins for three trackers: each answers in the shape its makers document, and keeps its issues in memory."""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.outside import Heard, Said

SECRET = "hook-secret"


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Kept:
    """An issue as a stand-in keeps it."""

    title: str
    text: str = ""
    status: str = ""
    comments: list[tuple[str, str, str, datetime]] = field(default_factory=list)


class StandIn:
    """`clock` is its own; `refuses` answers everything with that status, `loses` the next answer to a POST after doing it."""

    slug: str
    key = "7"
    open, done, doing = "open", "completed", "open"

    def __init__(self, clock: datetime) -> None:
        self.clock = clock
        self.issues: dict[str, Kept] = {self.key: Kept("Lid leaks", status=self.open)}
        self.heard: list[Heard] = []
        self.refuses: Said | None = None
        self.loses = False
        self._numbers = iter(range(901, 2000))

    def answer(self, heard: Heard) -> Said:
        self.heard.append(heard)
        if self.refuses is not None:
            return self.refuses
        assert self.is_signed_in(heard.headers), heard.headers
        body = json.loads(heard.body) if heard.body else None
        address = urlsplit(heard.path)
        said = self.take(heard.method, unquote(address.path), parse_qs(address.query), body)
        if heard.method == "POST" and self.loses and "search" not in heard.path:
            self.loses = False
            return Said(502)
        return said

    def say(self, author: str, text: str, *, key: str = "") -> str:
        number = str(next(self._numbers))
        self.issues[key or self.key].comments.append((number, author, text, self.clock))
        return number

    def move(self, status: str) -> None:
        self.issues[self.key].status = status

    def texts(self) -> list[str]:
        return [text for _, _, text, _ in self.issues[self.key].comments]

    def is_signed_in(self, headers: Any) -> bool:
        raise NotImplementedError

    def take(self, method: str, path: str, query: Any, body: Any) -> Said:
        raise NotImplementedError

    def hook(self) -> tuple[dict[str, str], bytes]:
        raise NotImplementedError

    def asked(self, url: str) -> dict[str, str]:
        """What a project of it is told when it is set up."""
        raise NotImplementedError


class GitHub(StandIn):
    slug = "github"

    def is_signed_in(self, headers: Any) -> bool:
        return bool(headers.get("authorization") == "Bearer t-1" and headers["x-github-api-version"])

    def take(self, method: str, path: str, query: Any, body: Any) -> Said:
        home, _, rest = path.partition("/issues")
        assert home == "/api/repos/acme/kettle"
        if not rest and method == "POST":
            key = str(next(self._numbers))
            self.issues[key] = Kept(body["title"], body["body"], "open")
            return Said.json(self._shown(key), status=201)
        if not rest:
            assert query["state"] == ["all"]
            return Said.json([self._shown(key) for key in self.issues])
        _, key, *more = rest.split("/")
        if key not in self.issues:
            return Said.json({"message": "Not Found", "status": "404"}, status=404)
        issue = self.issues[key]
        if more and method == "POST":
            number = self.say("portal-bot", body["body"], key=key)
            return Said.json({"id": int(number), "body": body["body"]}, status=201)
        if more:
            return Said.json(
                [
                    {
                        "id": int(number),
                        "user": {"login": who},
                        "body": text,
                        "created_at": stamp(at),
                        "updated_at": stamp(at),
                    }
                    for number, who, text, at in issue.comments
                ]
            )
        if method == "PATCH":
            issue.status = "open" if body["state"] == "open" else body["state_reason"]
        return Said.json(self._shown(key))

    def _shown(self, key: str) -> dict[str, Any]:
        issue = self.issues[key]
        is_open = issue.status == "open"
        return {
            "number": int(key),
            "title": issue.title,
            "body": issue.text,
            "html_url": f"https://github.example/acme/kettle/issues/{key}",
            "state": "open" if is_open else "closed",
            "state_reason": None if is_open else issue.status,
        }

    def hook(self) -> tuple[dict[str, str], bytes]:
        about = {"action": "edited", "issue": {"number": int(self.key)}, "repository": {"full_name": "Acme/kettle"}}
        body = json.dumps(about).encode()
        made = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return {"X-GitHub-Event": "issues", "X-Hub-Signature-256": f"sha256={made}"}, body

    def asked(self, url: str) -> dict[str, str]:
        return {"repository": "acme/kettle", "token": "t-1", "hook_secret": SECRET, "api": f"{url}/api"}


class GitLab(StandIn):
    slug = "gitlab"
    open, done, doing = "opened", "closed", "opened"

    def is_signed_in(self, headers: Any) -> bool:
        return bool(headers.get("private-token") == "t-1")

    def take(self, method: str, path: str, query: Any, body: Any) -> Said:
        found = re.fullmatch(r"/api/v4/projects/acme/kettle/issues(?:/(\d+)(/notes)?)?", path)
        assert found, path
        key, notes = found[1], found[2]
        if key is None and method == "POST":
            key = str(next(self._numbers))
            self.issues[key] = Kept(body["title"], body["description"], "opened")
            return Said.json(self._shown(key), status=201)
        if key is None:
            return Said.json([self._shown(each) for each in self.issues])
        if key not in self.issues:
            return Said.json({"message": "404 Issue Not Found"}, status=404)
        issue = self.issues[key]
        if notes and method == "POST":
            return Said.json({"id": int(self.say("Portal Bot", body["body"], key=key))}, status=201)
        if notes:
            told = [
                {"id": int(number), "body": text, "author": {"name": who}, "created_at": stamp(at), "system": False}
                for number, who, text, at in issue.comments
            ]
            told.append(
                {
                    "id": 1,
                    "body": "changed the label",
                    "author": {"name": "x"},
                    "created_at": stamp(self.clock),
                    "system": True,
                }
            )
            return Said.json(told[::-1])
        if method == "PUT":
            issue.status = {"close": "closed", "reopen": "opened"}[body["state_event"]]
        return Said.json(self._shown(key))

    def _shown(self, key: str) -> dict[str, Any]:
        issue = self.issues[key]
        return {
            "iid": int(key),
            "title": issue.title,
            "description": issue.text,
            "state": issue.status,
            "web_url": f"https://gitlab.example/acme/kettle/-/issues/{key}",
        }

    def hook(self) -> tuple[dict[str, str], bytes]:
        about = {
            "object_kind": "note",
            "project": {"path_with_namespace": "acme/kettle"},
            "object_attributes": {"id": 5, "note": "Hello"},
            "issue": {"iid": int(self.key)},
        }
        return {"X-Gitlab-Event": "Note Hook", "X-Gitlab-Token": SECRET}, json.dumps(about).encode()

    def asked(self, url: str) -> dict[str, str]:
        return {"project": "acme/kettle", "token": "t-1", "hook_secret": SECRET, "site": url}


class Jira(StandIn):
    slug = "jira"
    key = "KET-7"
    open, done, doing = "To Do", "Done", "In Progress"

    def is_signed_in(self, headers: Any) -> bool:
        return bool(headers.get("authorization") == "Basic Ym90QGV4YW1wbGUuY29tOnQtMQ==")  # bot@example.com:t-1

    def take(self, method: str, path: str, query: Any, body: Any) -> Said:
        rest = path.removeprefix("/rest/api/2/")
        if rest == "search/jql":
            assert re.fullmatch(r'project = "KET" AND updated >= -\d+m ORDER BY updated ASC', body["jql"])
            shown = [{"key": key, "fields": {"description": each.text}} for key, each in self.issues.items()]
            return Said.json({"issues": shown, "isLast": True})
        if rest == "issue":
            key = f"KET-{next(self._numbers)}"
            fields = body["fields"]
            assert fields["project"] == {"key": "KET"}
            self.issues[key] = Kept(fields["summary"], fields["description"], "To Do")
            return Said.json({"id": "1", "key": key}, status=201)
        _, key, *more = rest.split("/")
        if key not in self.issues:
            return Said.json({"errorMessages": ["Issue does not exist"]}, status=404)
        issue = self.issues[key]
        if more == ["transitions"] and method == "GET":
            ways = [{"id": str(n), "to": {"name": name}} for n, name in enumerate(("To Do", "In Progress", "Done"))]
            return Said.json({"transitions": ways})
        if more == ["transitions"]:
            issue.status = ("To Do", "In Progress", "Done")[int(body["transition"]["id"])]
            return Said(204)
        if more and method == "POST":
            return Said.json({"id": self.say("Portal Bot", body["body"], key=key)}, status=201)
        if more:
            told = [
                {
                    "id": number,
                    "author": {"displayName": who},
                    "body": text,
                    "created": at.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
                }
                for number, who, text, at in issue.comments
            ]
            return Said.json({"comments": told[::-1], "total": len(told)})
        category = {"To Do": "new", "In Progress": "indeterminate"}.get(issue.status, "done")
        status = {"name": issue.status, "statusCategory": {"key": category}}
        return Said.json({"key": key, "fields": {"summary": issue.title, "status": status}})

    def hook(self) -> tuple[dict[str, str], bytes]:
        body = json.dumps({"webhookEvent": "comment_created", "issue": {"key": self.key}}).encode()
        made = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return {"X-Hub-Signature": f"sha256={made}", "X-Atlassian-Webhook-Identifier": "w-1"}, body

    def asked(self, url: str) -> dict[str, str]:
        return {
            "site": url,
            "project": "KET",
            "kind": "Task",
            "email": "bot@example.com",
            "token": "t-1",
            "hook_secret": SECRET,
        }
