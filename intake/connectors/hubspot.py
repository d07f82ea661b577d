"""HubSpot Service: tickets and feedback submissions from webhooks and the API."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from intake.connectors import connectors
from intake.connectors.base import Call, Draft, Forged, Sender, Setting, Unreadable
from intake.connectors.desks import Desk, Piece, at_customers, broken, facts, moment, passed_over, person
from intake.connectors.documents import at as value_at
from intake.connectors.documents import list_at, rated, text_at
from intake.connectors.markup import text_of
from intake.connectors.signatures import check, check_age

_SCALES = {"nps": "nps", "csat": "csat5", "ces": "ces7"}
_TICKETS = frozenset(["ticket", "0-5"])
_GONE = frozenset(["deletion", "privacyDeletion"])
# HubSpot signs the address with these, and no others, decoded.
_DECODED = {code: bytes.fromhex(code[1:]).decode() for code in
            ("%3A", "%2F", "%3F", "%40", "%21", "%24", "%27", "%28", "%29", "%2A", "%2C", "%3B")}  # fmt: skip
_CODES = re.compile("|".join(_DECODED), re.IGNORECASE)


@connectors.register
class HubSpot(Desk):
    slug = "hubspot"
    name = "HubSpot Service"
    asks = (
        Setting(
            "signing_secret",
            "Client secret",
            help="Of the app that sends the webhooks: its page, Auth. Without it calls are refused.",
            is_secret=True,
        ),
        Setting("portal_id", "Hub ID", help="The number of the HubSpot account, for links to tickets."),
    )

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        stamp = call.headers.get("x-hubspot-request-timestamp", "")
        if not stamp.isdigit():
            raise Forged("It names no time it was sent at.")
        address = _CODES.sub(lambda code: _DECODED[code[0].upper()], call.url)
        signed = (call.method + address).encode("utf-8", "replace") + call.body + stamp.encode()
        check(call.headers.get("x-hubspot-signature-v3", ""), secrets.get("signing_secret", ""), signed)
        check_age(stamp, at=at, unit=1000)

    def pieces(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[Piece]:
        if isinstance(found, list):
            for each in found:
                yield from self.pieces(each, settings=settings)
        elif not isinstance(found, dict):
            yield broken(found, "It is no ticket of HubSpot. Send tickets as the API gives them.")
        elif "subscriptionType" in found:
            yield _event(found)
        elif "properties" in found:
            yield _object(found, settings)
        elif "results" in found:
            yield from self.pieces(list_at(found, "results"), settings=settings)
        else:
            raise Unreadable("It holds no tickets or feedback submissions of HubSpot. Send them as the API gives them.")


def _event(event: dict[str, Any]) -> Piece:
    """One change. An event tells one property, so only the ticket's words are taken from it: the rest comes with the ticket."""
    about, _, change = text_at(event, "subscriptionType").partition(".")
    kind = text_at(event, "objectTypeId") if about == "object" else about
    number, member = text_at(event, "objectId"), text_at(event, "propertyName")
    happened_at = moment(value_at(event, "occurredAt"))
    if change == "privacyDeletion" and kind not in _TICKETS:
        return passed_over(event, "HubSpot erased somebody for the sake of their privacy. Erase them at Customers too.")
    if kind not in _TICKETS or not number:
        return passed_over(event, f'The event "{about[:40]}.{change[:40]}" is not about a ticket.')
    if change in _GONE:
        return Piece(number, event, Draft, happened_at, is_gone=True)
    if change != "propertyChange" or member != "content":
        return passed_over(event, f'The event "{about[:40]}.{change[:40]}" tells none of the customer\'s words.')
    return Piece(number, event, partial(_changed, event, number), happened_at)


def _changed(event: Any, number: str) -> Draft:
    return Draft(
        text=text_of(text_at(event, "propertyValue")).strip(),
        context=facts({"ticket": number}),
        thread=number,
    )


def _object(found: dict[str, Any], settings: Mapping[str, Any]) -> Piece:
    said, number = found["properties"], text_at(found, "id")
    names = set(said) if isinstance(said, dict) else set()
    is_rating = any(name.startswith(("hs_survey_", "hs_submission_")) for name in names)
    is_ticket = bool(names & {"subject", "content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_priority"})
    if not (is_rating or is_ticket):
        for what, mark in (
            ("contacts", "email"),
            ("contacts", "lastname"),
            ("companies", "domain"),
            ("companies", "name"),
        ):
            if mark in names:
                raise at_customers(what)
        return broken(found, "It is neither a ticket nor a feedback submission. Fetch it with its properties.")
    if not number:
        return broken(found, "It has no id. Send tickets as HubSpot's API gives them.")
    return Piece(
        f"submission:{number}" if is_rating else number,
        found,
        partial(_submission, found) if is_rating else partial(_ticket, found, number, settings),
        moment(value_at(found, "updatedAt"), text_at(said, "hs_lastmodifieddate"), value_at(found, "createdAt")),
        is_gone=value_at(found, "archived", default=False) is True,
    )


def _ticket(found: Any, number: str, settings: Mapping[str, Any]) -> Draft:
    said = value_at(found, "properties")
    return Draft(
        text=text_of(text_at(said, "content")).strip(),
        title=text_at(said, "subject"),
        sender=_sender(found, text_at(said, "hs_all_associated_contact_emails").partition(";")[0].strip()),
        language=text_at(said, "hs_language"),
        url=_shown(number, settings),
        submitted_at=moment(text_at(said, "createdate"), value_at(found, "createdAt")),
        context=facts(
            {
                "came by": text_at(said, "source_type").lower(),
                "ticket": number,
                "category": text_at(said, "hs_ticket_category"),
                "priority": text_at(said, "hs_ticket_priority").lower(),
                "stage": text_at(said, "hs_pipeline_stage"),
            }
        ),
        thread=number,
    )


def _submission(found: Any) -> Draft:
    said = value_at(found, "properties")
    kind, sent = text_at(said, "hs_survey_type"), text_at(said, "hs_value")
    scale = _SCALES.get(kind.lower())
    rating, remarks = rated(scale, sent, place="hs_value") if scale else (None, ())
    return Draft(
        text=text_of(text_at(said, "hs_content")).strip(),
        rating=rating,
        sender=_sender(found, text_at(said, "hs_contact_email_rollup").partition(";")[0].strip()),
        submitted_at=moment(text_at(said, "hs_submission_timestamp"), value_at(found, "createdAt")),
        context=facts(
            {
                "rating as sent": sent,
                "survey": text_at(said, "hs_survey_name"),
                "survey type": kind,
                "came by": text_at(said, "hs_survey_channel").lower(),
                "sentiment": text_at(said, "hs_sentiment").lower(),
            }
        ),
        remarks=remarks,
    )


def _sender(found: Any, email: str) -> Sender:
    """HubSpot is the house's own list of customers, so its numbers are how the house knows them."""
    return person(
        "hubspot",
        own_id=text_at(found, "associations", "contacts", "results", 0, "id"),
        email=email,
        account=text_at(found, "associations", "companies", "results", 0, "id"),
    )


def _shown(number: str, settings: Mapping[str, Any]) -> str:
    portal = str(settings.get("portal_id", "")).strip()
    return f"https://app.hubspot.com/contacts/{portal}/ticket/{quote(number, safe='')}" if portal.isdecimal() else ""
