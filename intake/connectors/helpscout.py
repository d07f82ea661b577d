"""Help Scout: conversations thread by thread, and satisfaction ratings, from webhooks and the API."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from intake.connectors import connectors
from intake.connectors.base import Call, Draft, Ignored, RawItem, Sender, Setting, Unreadable
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
from intake.connectors.documents import document, list_at, rated, text_at
from intake.connectors.markup import text_of, text_of_html
from intake.connectors.signatures import check

_SCORES = {"great": 5, "good": 5, "okay": 3, "bad": 1, "not good": 1}
_DELETED = "convo.deleted"


@connectors.register
class HelpScout(Desk):
    slug = "helpscout"
    name = "Help Scout"
    asks = (
        Setting(
            "signing_secret",
            "Secret key",
            help="The one written on Help Scout's page of the webhook. Without it calls are refused.",
            is_secret=True,
        ),
    )

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        given, secret = call.headers.get("x-helpscout-signature", ""), secrets.get("signing_secret", "")
        check(given, secret, call.body, digest="sha1")

    def split(self, call: Call, *, settings: Mapping[str, Any]) -> Iterable[RawItem]:
        found = document(call.body)
        # The header is not signed, so it may say what a body means that has nothing but an id, and no more than that.
        if call.headers.get("x-helpscout-event") == _DELETED and isinstance(found, dict) and set(found) == {"id"}:
            found = {"event": _DELETED, **found}
        return self.split_document(found, settings=settings)

    def pieces(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[Piece]:
        if isinstance(found, list):
            for each in found:
                yield from self.pieces(each, settings=settings)
        elif not isinstance(found, dict):
            yield broken(found, "It is no conversation of Help Scout. Send conversations as the API gives them.")
        elif text_at(found, "event") == _DELETED and text_at(found, "id"):
            yield Piece(_thread(text_at(found, "id")), found, Draft, is_gone=True)
        elif "rating" in found:
            yield _rating(found)
        elif "conversation" in found and "body" in found:
            yield _said(found, found["conversation"])
        elif "subject" in found or "mailboxId" in found:
            yield from _conversation(found)
        elif "_embedded" in found:
            yield from self._page(found, settings)
        elif "id" in found:
            yield passed_over(found, "It names a conversation and holds none of its words.")
        else:
            raise Unreadable("It holds no conversations of Help Scout. Send conversations as the API gives them.")

    def _page(self, found: dict[str, Any], settings: Mapping[str, Any]) -> Iterator[Piece]:
        for name in ("customers", "organizations"):
            if isinstance(value_at(found, "_embedded", name), list):
                raise at_customers(name)
        yield from self.pieces(list_at(found, "_embedded", "conversations"), settings=settings)
        for thread in list_at(found, "_embedded", "threads"):
            yield _said(thread, {})


def _conversation(whole: dict[str, Any]) -> Iterator[Piece]:
    number = text_at(whole, "id")
    about = {name: value for name, value in whole.items() if name in _ABOUT}
    pieces = [_said(thread, about) for thread in list_at(whole, "_embedded", "threads")]
    if number and text_at(whole, "state") == "deleted":
        gone_at = moment(text_at(whole, "userUpdatedAt"), text_at(whole, "closedAt"))
        yield from all_gone([Piece(_thread(number), whole, Draft, gone_at), *pieces])
    elif pieces:
        yield from pieces
    else:
        yield passed_over(whole, "It came without its threads. Fetch conversations with embed=threads.")


# What stays beside a thread: not what changes whenever an agent does something in the conversation.
_ABOUT = frozenset(["id", "number", "subject", "type", "mailboxId", "status", "tags", "primaryCustomer", "_links"])


def _said(thread: Any, about: Any) -> Piece:
    number = text_at(thread, "id")
    if not number:
        return broken(thread, "It is a thread without an id. Send conversations as Help Scout's API gives them.")
    return Piece(
        number,
        {"body": "", **thread, "conversation": about},
        partial(_draft, thread, about),
        moment(text_at(thread, "updatedAt"), text_at(thread, "createdAt")),
        is_gone=text_at(thread, "state") == "deleted",
    )


def _draft(thread: Any, about: Any) -> Draft:
    kind = text_at(thread, "type").lower()
    by = text_at(thread, "createdBy", "type").lower()
    if kind in ("note", "forwardparent", "forwardchild"):
        raise Ignored("It is a private note.")
    if kind != "customer" and by != "customer":
        raise Ignored("It is an agent's answer, or a change that nobody put in words.")
    if text_at(about, "status") == "spam":
        raise Ignored("Help Scout holds this conversation for spam.")
    if text_at(thread, "state") in ("draft", "hidden"):
        raise Ignored("It is a draft, which nobody has sent.")
    conversation = _thread(text_at(about, "id"))
    return Draft(
        text=text_of_html(text_at(thread, "body")),
        title=text_at(about, "subject"),
        sender=_sender(thread, about),
        url=web_page(text_at(about, "_links", "web", "href")),
        submitted_at=moment(text_at(thread, "createdAt")),
        context=facts(
            {
                "came by": text_at(thread, "source", "type") or text_at(about, "type"),
                "conversation": text_at(about, "number"),
                "mailbox": text_at(about, "mailboxId"),
                "status": text_at(about, "status"),
                "tags": [text_at(tag, "tag") for tag in list_at(about, "tags")],
            }
        ),
        thread=conversation,
    )


def _sender(thread: Any, about: Any) -> Sender:
    main = value_at(about, "primaryCustomer", default={})
    by = value_at(thread, "customer", default=None) or value_at(thread, "createdBy", default=None) or main
    # The conversation knows its main customer better than each thread does.
    known = main if text_at(main, "id") == text_at(by, "id") else by
    return person(
        "helpscout",
        number=text_at(by, "id"),
        email=text_at(by, "email") or text_at(known, "email"),
        name=" ".join(name for name in (text_at(known, "first"), text_at(known, "last")) if name),
    )


def _rating(found: dict[str, Any]) -> Piece:
    number = text_at(found, "id")
    if not number:
        return broken(found, "It is a rating without an id. Send ratings as Help Scout's API gives them.")
    updated_at = moment(text_at(found, "modifiedAt"), text_at(found, "createdAt"))
    return Piece(f"rating:{number}", found, partial(_rated, found), updated_at)


def _rated(found: Any) -> Draft:
    sent, conversation = text_at(found, "rating"), _thread(text_at(found, "ticketId"))
    rating, remarks = rated("csat5", _SCORES.get(sent.lower(), sent))
    customer = value_at(found, "customer", default={})
    return Draft(
        text=text_of(text_at(found, "comments")).strip(),
        rating=rating,
        sender=person(
            "helpscout",
            number=text_at(customer, "id"),
            email=text_at(customer, "emails", 0, "value"),
            name=" ".join(name for name in (text_at(customer, "firstName"), text_at(customer, "lastName")) if name),
        ),
        submitted_at=moment(text_at(found, "createdAt")),
        context=facts({"rating as sent": sent, "mailbox": text_at(found, "mailbox", "name")}),
        remarks=remarks,
        thread=conversation,
        reply_to=text_at(found, "threadId"),
    )


def _thread(number: str) -> str:
    """Conversations and threads are numbered apart."""
    return number and f"conversation:{number}"
