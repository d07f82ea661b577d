"""Zendesk: tickets, comments and satisfaction ratings from webhooks, the API and exports."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from intake.connectors import connectors, zendesk_export
from intake.connectors.base import (
    Ask,
    Call,
    Draft,
    Forged,
    Ignored,
    Page,
    PullConnector,
    Sender,
    Setting,
    Unreadable,
)
from intake.connectors.desks import Desk, Piece, all_gone, at_customers, broken, facts, moment, passed_over, person
from intake.connectors.documents import at as value_at
from intake.connectors.documents import list_at, rated, text_at
from intake.connectors.markup import text_of_html
from intake.connectors.signatures import check, check_age
from intake.connectors.zendesk_export import SUBDOMAIN

# Zendesk signs test calls of unsaved webhooks with this, and prints it in its manual: it proves nothing.
_PUBLIC_SECRET = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="  # noqa: S105
_EVENT = "zen:event-type:"
_DELETIONS = frozenset(["ticket.soft_deleted", "ticket.permanently_deleted", "ticket.marked_as_spam"])
_STAFF = frozenset(["agent", "admin"])
_SCORES = {"good": 5, "bad": 1}
_SITE = re.compile(r"https://[a-z0-9-]+\.zendesk\.com/")


@connectors.register
class Zendesk(Desk, PullConnector):
    slug = "zendesk"
    name = "Zendesk"
    asks = (
        Setting("subdomain", "Subdomain", help='The "acme" of acme.zendesk.com.', is_required=True),
        Setting("email", "Agent's e-mail address", help="Whose API token it is. Needed only to fetch tickets."),
        Setting(
            "api_token",
            "API token",
            help="From Admin Center, Apps and integrations, API tokens. Without one nothing is fetched.",
            is_secret=True,
        ),
        Setting(
            "signing_secret",
            "Signing secret",
            help="Shown on the page of the webhook in Admin Center. Without one calls are refused.",
            is_secret=True,
        ),
        Setting(
            "since",
            "Fetch tickets changed since",
            help="A day such as 2026-01-31. Left empty, the last 30 days are fetched first.",
        ),
    )

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        secret = secrets.get("signing_secret", "")
        if secret == _PUBLIC_SECRET:
            raise Forged(
                "The channel's signing secret is the one that Zendesk publishes for tests. Set the webhook's own."
            )
        stamp = call.headers.get("x-zendesk-webhook-signature-timestamp", "")
        check(call.headers.get("x-zendesk-webhook-signature", ""), secret, stamp.encode("utf-8", "replace") + call.body)
        check_age(stamp, at=at)

    def pages(
        self,
        cursor: Mapping[str, Any],
        *,
        ask: Ask,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
        at: datetime,
    ) -> Iterator[Page]:
        if not secrets.get("api_token"):
            return  # such a channel lives on webhooks and files alone
        for found, place in zendesk_export.documents(cursor, ask=ask, settings=settings, secrets=secrets, at=at):
            yield Page(list(self.split_document(found, settings=settings)), place)

    def pieces(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[Piece]:
        if isinstance(found, list):
            for each in found:
                yield from self.pieces(each, settings=settings)
        elif text_at(found, "type").startswith(_EVENT):
            yield from self._event(found, settings)
        else:
            yield from self._page(found, settings)

    def _page(self, found: Any, settings: Mapping[str, Any]) -> Iterator[Piece]:
        """A page of the API, a single object as the API shows it, or one line of an export."""
        if not isinstance(found, dict):
            yield broken(
                found, "It is JSON, but no ticket of Zendesk. Send tickets as the API or an export gives them."
            )
            return
        sides = _Sides(found)
        if "comment" in found and "comments" not in found and "id" not in found:
            yield _comment(found, found["comment"], _ticket_of(found), sides)
        elif "satisfaction_rating" in found and "id" not in found:
            yield _rating(found["satisfaction_rating"], sides, found)
        elif "ticket" in found and "id" not in found:
            yield from _ticket(found["ticket"], sides, settings)
        elif "score" in found:
            yield _rating(found, sides, found)
        elif "author_id" in found:
            yield _comment(found, found, _ticket_of(found), sides)
        elif "role" in found or "domain_names" in found:
            raise at_customers("users" if "role" in found else "organizations")
        elif "id" in found:
            yield from _ticket(found, sides, settings)
        else:
            yield from self._lists(found, sides, settings)

    def _lists(self, found: dict[str, Any], sides: "_Sides", settings: Mapping[str, Any]) -> Iterator[Piece]:
        lists = [name for name in ("tickets", "results", "satisfaction_ratings", "comments") if name in found]
        if not lists:
            for name in ("users", "organizations"):
                if name in found:
                    raise at_customers(name)
            raise Unreadable(
                "It holds no tickets, comments or ratings of Zendesk. Send them as the API or an export gives them."
            )
        for name in lists:
            for each in list_at(found, name):
                if name == "satisfaction_ratings":
                    yield _rating(each, sides)
                elif name == "comments":
                    yield _comment({"comment": each, **sides.of(text_at(each, "author_id"))}, each, {}, sides)
                elif text_at(each, "result_type") not in ("", "ticket"):
                    yield passed_over({"results": [each]}, "A search found it, and it is no ticket.")
                else:
                    yield from _ticket(each, sides, settings)

    def _event(self, found: dict[str, Any], settings: Mapping[str, Any]) -> Iterator[Piece]:
        kind = text_at(found, "type").removeprefix(_EVENT).lower()
        ticket, comment = value_at(found, "detail", default={}), value_at(found, "event", "comment", default=None)
        if not kind.startswith("ticket."):
            yield passed_over(found, f'The event "{kind[:80]}" is not about a ticket.')
        elif kind in _DELETIONS:
            yield _gone(text_at(ticket, "id"), found, moment(text_at(ticket, "updated_at"), text_at(found, "time")))
        elif kind == "ticket.comment_redacted":
            # What is left of the comment is not worth keeping; the ticket's own words may be what was struck out.
            yield _gone(f"comment:{text_at(comment, 'id')}", found, moment(text_at(found, "time")))
            yield from _ticket(ticket, _Sides({}), settings)
        elif comment is not None:
            yield _comment(found, comment, ticket, _Sides({}))
        else:
            yield from _ticket(ticket, _Sides({}), settings, found)


class _Sides:
    """Who and whose: what an API page brings beside its tickets when it is asked to, or an export inside of them."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self.users = {text_at(one, "id"): one for one in list_at(found, "users")}
        self.organizations = {text_at(one, "id"): one for one in list_at(found, "organizations")}

    def of(self, *numbers: str) -> dict[str, Any]:
        """The part of it that is about some users, to be stored beside what they said."""
        users = [self.users[number] for number in dict.fromkeys(numbers) if number in self.users]
        wanted = {text_at(one, "organization_id") for one in users} | set(numbers)
        organizations = [one for number, one in self.organizations.items() if number in wanted]
        return ({"users": users} if users else {}) | ({"organizations": organizations} if organizations else {})

    def sender(self, number: str, *, known: Any = None, organization: str = "") -> Sender:
        """The customer of a number; `known` is what the object itself says about them."""
        user = self.users.get(number, known)
        home = self.organizations.get(organization or text_at(user, "organization_id"))
        home_id = text_at(home, "id") or organization
        return person(
            "zendesk",
            number=number,
            own_id=text_at(user, "external_id"),
            email=text_at(user, "email") or text_at(user, "address"),
            name=text_at(user, "name"),
            account=text_at(home, "external_id") or (home_id and f"zendesk:{home_id}"),
            account_name=text_at(home, "name"),
        )


def _ticket(ticket: Any, sides: _Sides, settings: Mapping[str, Any], holds: Any = None) -> Iterator[Piece]:
    """A ticket, and what is inside of it: the rating it was given, and in an export its further comments."""
    number, requester = text_at(ticket, "id"), text_at(ticket, "requester_id")
    updated_at = moment(text_at(ticket, "updated_at"), text_at(ticket, "created_at"))
    if not number:
        yield broken({"ticket": ticket}, "It is a ticket without an id. Send tickets as Zendesk's API gives them.")
        return
    beside = sides.of(requester, text_at(ticket, "organization_id"))
    own = {name: value for name, value in ticket.items() if name != "comments"}
    whole = Piece(
        number,
        holds if holds is not None else {"ticket": own, **beside},
        partial(_ticket_draft, ticket, sides, settings),
        updated_at,
    )
    pieces = (whole, *_inside(ticket, sides, updated_at=updated_at))
    yield from all_gone(pieces) if text_at(ticket, "status").lower() == "deleted" else pieces


def _inside(ticket: Any, sides: _Sides, *, updated_at: datetime | None) -> Iterator[Piece]:
    number, requester = text_at(ticket, "id"), text_at(ticket, "requester_id")
    rating = value_at(ticket, "satisfaction_rating", default=None)
    if isinstance(rating, dict) and text_at(rating, "score").lower() in _SCORES:
        rating = {"ticket_id": number, "requester_id": requester, **rating}
        yield _rating(
            rating,
            sides,
            {"satisfaction_rating": rating, "requester": _known(ticket), **sides.of(requester)},
            updated_at=updated_at,
        )
    first = text_at(ticket, "description").strip()
    for place, comment in enumerate(list_at(ticket, "comments")):
        if place or _words(comment) != first:
            about = {"id": number, "requester_id": requester, "via": value_at(ticket, "via", default=None)}
            by = sides.of(text_at(comment, "author_id"))
            yield _comment({"comment": comment, "ticket": about, **by}, comment, about, sides)


def _ticket_draft(ticket: Any, sides: _Sides, settings: Mapping[str, Any]) -> Draft:
    if value_at(ticket, "is_public", default=True) is False:
        raise Ignored("It is a private ticket, which agents wrote among themselves.")
    number, requester = text_at(ticket, "id"), text_at(ticket, "requester_id")
    known = _known(ticket)
    user = sides.users.get(requester, known)
    return Draft(
        text=text_at(ticket, "description"),
        title=text_at(ticket, "subject"),
        sender=sides.sender(requester, known=known, organization=text_at(ticket, "organization_id")),
        language=text_at(user, "locale"),
        url=_shown(ticket, number, settings),
        submitted_at=moment(text_at(ticket, "created_at")),
        context=facts(
            {
                "came by": text_at(ticket, "via", "channel").lower(),
                "ticket": number,
                "type": text_at(ticket, "type").lower(),
                "priority": text_at(ticket, "priority").lower(),
                "status": text_at(ticket, "status").lower(),
                "tags": list_at(ticket, "tags"),
            }
        ),
        thread=number,
    )


def _comment(holds: Any, comment: Any, ticket: Any, sides: _Sides) -> Piece:
    number = text_at(comment, "id")
    if not number:
        return broken(holds, "It is a comment without an id. Send comments as Zendesk's API gives them.")
    # An event tells no time of the comment, and its own is that.
    written_at = moment(text_at(comment, "created_at"), text_at(holds, "time"))
    return Piece(
        f"comment:{number}",
        holds,
        partial(_comment_draft, comment, ticket, sides, written_at),
        written_at,
    )


def _comment_draft(comment: Any, ticket: Any, sides: _Sides, written_at: datetime | None) -> Draft:
    author = value_at(comment, "author", default={})
    number = text_at(comment, "author_id") or text_at(author, "id")
    role = text_at(sides.users.get(number, author), "role").lower()
    is_staff = value_at(author, "is_staff", default=None)
    if value_at(comment, "public", default=value_at(comment, "is_public", default=True)) is False:
        raise Ignored("It is a private note.")
    if role in _STAFF or is_staff is True:
        raise Ignored("It is an agent's answer.")
    if role != "end-user" and is_staff is not False and (not number or number != text_at(ticket, "requester_id")):
        raise Ignored(
            "It does not say whether a customer or an agent wrote this comment. Fetch comments with include=users."
        )
    thread = text_at(ticket, "id") or text_at(comment, "ticket_id")
    return Draft(
        text=_words(comment),
        sender=sides.sender(number, known=author),
        submitted_at=written_at,
        context=facts({"came by": text_at(comment, "via", "channel").lower(), "ticket": thread}),
        thread=thread,
        reply_to=thread,
    )


def _rating(rating: Any, sides: _Sides, holds: Any = None, *, updated_at: datetime | None = None) -> Piece:
    ticket = text_at(rating, "ticket_id")
    number = text_at(rating, "id") or (ticket and f"of ticket {ticket}")
    requester = text_at(rating, "requester_id")
    if holds is None:
        holds = {"satisfaction_rating": rating, **sides.of(requester)}
    if not number:
        return broken(holds, "It is a rating without an id. Send ratings as Zendesk's API gives them.")
    return Piece(
        f"rating:{number}",
        holds,
        partial(_rating_draft, rating, sides, value_at(holds, "requester", default=None)),
        moment(text_at(rating, "updated_at"), text_at(rating, "created_at")) or updated_at,
    )


def _rating_draft(rating: Any, sides: _Sides, known: Any) -> Draft:
    score = text_at(rating, "score").lower()
    if score not in _SCORES:
        raise Ignored("The customer was asked for a rating and has given none.")
    value, remarks = rated("csat5", _SCORES[score])
    ticket = text_at(rating, "ticket_id")
    return Draft(
        text=text_at(rating, "comment"),
        rating=value,
        sender=sides.sender(text_at(rating, "requester_id"), known=known),
        submitted_at=moment(text_at(rating, "created_at")),
        context=facts({"rating as sent": score, "reason": text_at(rating, "reason"), "ticket": ticket}),
        remarks=remarks,
        thread=ticket,
        reply_to=ticket,
    )


def _known(ticket: Any) -> Any:
    """What a ticket says by itself of whoever asked for it: an export names them, a mail has their address."""
    return value_at(ticket, "requester", default=None) or value_at(ticket, "via", "source", "from", default=None)


def _gone(number: str, holds: Any, updated_at: datetime | None) -> Piece:
    if not number.removeprefix("comment:"):
        return passed_over(holds, "It tells that something was deleted, and not what.")
    return Piece(number, holds, Draft, updated_at, is_gone=True)


def _words(comment: Any) -> str:
    plain = text_at(comment, "plain_body") or text_at(comment, "body")
    return (plain or text_of_html(text_at(comment, "html_body"))).strip()


def _ticket_of(found: Mapping[str, Any]) -> Any:
    return value_at(found, "ticket", default={"id": text_at(found, "ticket_id")})


def _shown(ticket: Any, number: str, settings: Mapping[str, Any]) -> str:
    """The page on which agents see the ticket."""
    site = _SITE.match(text_at(ticket, "url"))
    subdomain = str(settings.get("subdomain", "")).strip().lower()
    home = site[0] if site else f"https://{subdomain}.zendesk.com/" if SUBDOMAIN.match(subdomain) else ""
    return home and f"{home}agent/tickets/{quote(number, safe='')}"
