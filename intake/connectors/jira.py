"""Jira Service Management: requests, public comments and ratings from webhooks and the API."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from intake.connectors import connectors
from intake.connectors.adf import is_adf, text_of_adf
from intake.connectors.base import Call, Draft, Ignored, Sender, Setting, Unreadable
from intake.connectors.desks import (
    Desk,
    Piece,
    all_gone,
    at_customers,
    broken,
    facts,
    moment,
    passed_over,
    person,
    web_page,
)
from intake.connectors.documents import at as value_at
from intake.connectors.documents import list_at, rated, text_at
from intake.connectors.signatures import check

_SITE = re.compile(r"https://[A-Za-z0-9.-]{1,253}(?::\d{1,5})?(?=/)")
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+\Z")
_NAMES = ("accountId", "key", "name", "emailAddress")


@connectors.register
class Jira(Desk):
    slug = "jira"
    name = "Jira Service Management"
    asks = (
        Setting(
            "signing_secret",
            "Webhook secret",
            help="The one written on Jira's page of the webhook. Without it calls are refused.",
            is_secret=True,
        ),
        Setting("site", "Site", help='Such as "acme.atlassian.net", for links to requests.'),
    )

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        given, secret = call.headers.get("x-hub-signature", ""), secrets.get("signing_secret", "")
        check(given, secret, call.body, prefix="sha256=", encoding="hex")

    def pieces(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[Piece]:
        if isinstance(found, list):
            for each in found:
                yield from self.pieces(each, settings=settings)
        elif not isinstance(found, dict):
            yield broken(found, "It is no request of Jira. Send requests as the API gives them.")
        elif "webhookEvent" in found:
            yield from _event(found, settings)
        elif "comment" in found and "rating" not in found:
            yield _comment(found)
        elif "fields" in found or ("issueId" in found and "rating" not in found):
            yield from _issue(found, settings)
        elif "rating" in found:
            yield _feedback(found)
        else:
            yield from self._page(found, settings)

    def _page(self, found: dict[str, Any], settings: Mapping[str, Any]) -> Iterator[Piece]:
        if "issues" in found or "values" in found:
            yield from self.pieces(list_at(found, "issues") + list_at(found, "values"), settings=settings)
        elif "issue" in found:
            yield from self.pieces(found["issue"], settings=settings)
        elif "author" in found and "body" in found:
            yield _comment({"comment": found})
        elif isinstance(found.get("comments"), list):
            for comment in found["comments"]:
                yield _comment({"comment": comment})
        elif "accountId" in found or "emailAddress" in found:
            raise at_customers("people")
        else:
            raise Unreadable("It holds no requests, comments or ratings of Jira. Send them as the API gives them.")


def _event(found: dict[str, Any], settings: Mapping[str, Any]) -> Iterator[Piece]:
    event, issue, comment = text_at(found, "webhookEvent"), found.get("issue"), found.get("comment")
    happened_at, number = moment(value_at(found, "timestamp")), text_at(issue, "id")
    if event == "jira:issue_deleted" and number:
        # There is no telling whether it was rated; an id under which nothing lies is marked and harms nobody.
        yield from all_gone([*_issue(issue, settings), Piece(f"rating:{number}", found, Draft, happened_at)])
    elif event == "comment_deleted" and text_at(comment, "id"):
        yield Piece(f"comment:{text_at(comment, 'id')}", found, Draft, happened_at, is_gone=True)
    elif event.startswith("comment_") and comment is not None:
        yield _comment({"comment": comment, "issue": _about(issue)})
    elif event.startswith("jira:issue_") and issue is not None:
        yield from _issue(issue, settings)
        if comment is not None:
            yield _comment({"comment": comment, "issue": _about(issue)})
    else:
        yield passed_over(found, f'The event "{event[:80]}" tells nothing of what a customer said.')


def _issue(issue: Any, settings: Mapping[str, Any]) -> Iterator[Piece]:
    """An issue as Jira gives it, or a request as its service desk does; both have the same number."""
    number = text_at(issue, "id") or text_at(issue, "issueId")
    if not number:
        yield broken({"issue": issue}, "It is a request without an id. Send requests as Jira's API gives them.")
        return
    updated_at = moment(
        text_at(issue, "fields", "updated"),
        text_at(issue, "currentStatus", "statusDate", "iso8601"),
        text_at(issue, "createdDate", "iso8601"),
        text_at(issue, "fields", "created"),
    )
    is_request = "issueId" in issue
    holds = issue if is_request or "fields" in issue else {"issue": issue}
    draft = partial(_request_draft if is_request else _issue_draft, issue, number, settings)
    yield Piece(number, holds, draft, updated_at)
    for comment in list_at(issue, "fields", "comment", "comments"):
        yield _comment({"comment": comment, "issue": _about(issue)})


def _issue_draft(issue: Any, number: str, settings: Mapping[str, Any]) -> Draft:
    fields = value_at(issue, "fields", default={})
    return Draft(
        text=_words(value_at(fields, "description")),
        title=text_at(fields, "summary"),
        sender=_sender(value_at(fields, "reporter", default={})),
        url=_shown(issue, settings),
        submitted_at=moment(text_at(fields, "created")),
        context=facts(
            {
                "request": text_at(issue, "key"),
                "project": text_at(fields, "project", "name"),
                "type": text_at(fields, "issuetype", "name"),
                "priority": text_at(fields, "priority", "name"),
                "status": text_at(fields, "status", "name"),
                "labels": list_at(fields, "labels"),
                "components": [text_at(each, "name") for each in list_at(fields, "components")],
            }
        ),
        thread=number,
    )


def _request_draft(request: Any, number: str, settings: Mapping[str, Any]) -> Draft:
    answers = {text_at(one, "fieldId"): one for one in list_at(request, "requestFieldValues")}
    others = {
        text_at(one, "label"): value_at(one, "value")
        for name, one in answers.items()
        if name not in ("summary", "description")
    }
    return Draft(
        text=_words(value_at(answers, "description", "value")),
        title=text_at(answers, "summary", "value") or text_at(request, "summary"),
        sender=_sender(value_at(request, "reporter", default={})),
        url=web_page(text_at(request, "_links", "web")) or _shown(request, settings),
        submitted_at=moment(
            text_at(request, "createdDate", "iso8601"), value_at(request, "createdDate", "epochMillis")
        ),
        context=facts(
            others
            | {
                "request": text_at(request, "issueKey"),
                "status": text_at(request, "currentStatus", "status"),
                "request type": text_at(request, "requestType", "name") or text_at(request, "requestTypeId"),
            }
        ),
        thread=number,
    )


def _about(issue: Any) -> dict[str, Any]:
    """What a comment needs to know of its issue, and nothing that changes with every move of it."""
    number = text_at(issue, "id") or text_at(issue, "issueId")
    reporter = value_at(issue, "fields", "reporter", default=None) or value_at(issue, "reporter", default=None)
    return {"id": number, "key": text_at(issue, "key"), "self": text_at(issue, "self"), "reporter": reporter}


def _comment(found: dict[str, Any]) -> Piece:
    comment = found["comment"]
    number = text_at(comment, "id")
    if not number:
        return broken(found, "It is a comment without an id. Send comments as Jira's API gives them.")
    created = value_at(comment, "created")
    updated_at = moment(text_at(comment, "updated"), created, text_at(created, "iso8601"))
    return Piece(f"comment:{number}", found, partial(_comment_draft, comment, found.get("issue")), updated_at)


def _comment_draft(comment: Any, issue: Any) -> Draft:
    author = value_at(comment, "author", default={})
    is_public = value_at(comment, "jsdPublic", default=value_at(comment, "public", default=True))
    if is_public is False or value_at(comment, "visibility", default=None):
        raise Ignored("It is an internal comment.")
    reporter, kind = value_at(issue, "reporter", default=None), text_at(author, "accountType")
    if kind != "customer" and not _is_same(author, reporter):
        if kind or reporter is not None:
            raise Ignored("It is an agent's answer.")
        raise Ignored("It does not say whether a customer or an agent wrote this comment. Fetch it with its request.")
    thread, created = text_at(issue, "id"), value_at(comment, "created")
    return Draft(
        text=_words(value_at(comment, "body")),
        sender=_sender(author),
        submitted_at=moment(created, text_at(created, "iso8601")),
        context=facts({"request": text_at(issue, "key")}),
        thread=thread,
        reply_to=thread,
    )


def _feedback(found: dict[str, Any]) -> Piece:
    """A rating, which Jira gives without saying of what: then it is told from others by what it says alone."""
    number, words = text_at(found, "issueId"), text_at(found, "comment", "body")
    if number:
        return Piece(f"rating:{number}", found, partial(_rated, found, number))
    if not words.strip():
        return broken(
            found, 'It is a rating without words, and does not say of what. Add the "issueId" of its request.'
        )
    made = passed_over(found, "").external_id
    return Piece(f"rating:{made}", found, partial(_rated, found, ""))


def _rated(found: Any, number: str) -> Draft:
    rating, remarks = rated("csat5", value_at(found, "rating"))
    return Draft(
        text=_words(value_at(found, "comment", "body")),
        rating=rating,
        context=facts({"rating as sent": text_at(found, "rating")}),
        remarks=remarks,
        thread=number,
        reply_to=number,
    )


def _words(body: Any) -> str:
    return text_of_adf(body) if is_adf(body) else text_at(body).strip()


def _is_same(one: Any, other: Any) -> bool:
    """The first name that both have decides: newer versions know people by other names than older ones."""
    for name in _NAMES:
        if text_at(one, name) and text_at(other, name):
            return text_at(one, name) == text_at(other, name)
    return False


def _sender(one: Any) -> Sender:
    number = next((text_at(one, name) for name in _NAMES if text_at(one, name)), "")
    return person("jira", number=number, email=text_at(one, "emailAddress"), name=text_at(one, "displayName"))


def _shown(issue: Any, settings: Mapping[str, Any]) -> str:
    key = text_at(issue, "key") or text_at(issue, "issueKey")
    host = str(settings.get("site", "")).strip().lower().removeprefix("https://").rstrip("/")
    found = _SITE.match(text_at(issue, "self"))
    home = f"https://{host}" if _HOST.match(host) else found[0] if found else ""
    return f"{home}/browse/{quote(key, safe='')}" if home and key else ""
