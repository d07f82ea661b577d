"""Salesforce: cases with their comments and mails, from pages of the API, calls of a flow and outbound messages."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from intake.connectors import connectors
from intake.connectors.base import Call, Draft, Ignored, RawItem, Reply, Sender, Setting, Unreadable
from intake.connectors.desks import (
    SHARED_SECRET,
    Desk,
    Piece,
    at_customers,
    broken,
    check_shared,
    facts,
    moment,
    passed_over,
    person,
)
from intake.connectors.documents import at as value_at
from intake.connectors.documents import list_at, text_at
from intake.connectors.markup import text_of_html
from intake.connectors.outbound_messages import ACKNOWLEDGED, is_outbound_message, records_of

_CRM = {"Account": "accounts", "Contact": "contacts", "Lead": "leads", "Opportunity": "opportunities"}
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+\Z")


@connectors.register
class Salesforce(Desk):
    """An outbound message is best given SystemModstamp among its fields, for by that a change is known to be one."""

    slug = "salesforce"
    name = "Salesforce"
    asks = (
        Setting("site", "Site", help='Such as "acme.my.salesforce.com", for links to cases.'),
        Setting(
            "product_field", "Product's field", help='The case\'s field that names the product, such as "Product__c".'
        ),
        SHARED_SECRET,
    )

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        check_shared(call, secrets)

    def answer(self, call: Call) -> Reply:
        """What Salesforce does not see acknowledged, it sends again for a day."""
        return Reply(ACKNOWLEDGED, "text/xml; charset=utf-8") if is_outbound_message(call.body) else Reply()

    def split(self, call: Call, *, settings: Mapping[str, Any]) -> Iterable[RawItem]:
        if is_outbound_message(call.body):
            return self.split_document(records_of(call.body), settings=settings)
        return super().split(call, settings=settings)

    def pieces(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[Piece]:
        kind = text_at(found, "attributes", "type")
        if isinstance(found, list):
            for each in found:
                yield from self.pieces(each, settings=settings)
        elif not isinstance(found, dict):
            yield broken(found, "It is no case of Salesforce. Send cases as the API gives them.")
        elif isinstance(found.get("records"), list):
            yield from self.pieces(found["records"], settings=settings)
        elif value_at(found, "payload", "ChangeEventHeader") or value_at(found, "ChangeEventHeader"):
            yield from _changes(found)
        elif kind in _CRM:
            raise at_customers(_CRM[kind])
        elif kind in _READERS or (not kind and ("CaseNumber" in found or "Subject" in found)):
            yield _record(kind or "Case", found, settings)
        elif kind:
            yield passed_over(found, f'A record of the type "{kind[:80]}" holds no feedback.')
        else:
            raise Unreadable("It holds no cases of Salesforce. Send cases as the API gives them.")


def id_of(number: str) -> str:
    """An id in its long form, which no change of case can confuse: 15 characters get the three that tell their cases."""
    if len(number) != 15 or not (number.isascii() and number.isalnum()):
        return number
    tails = (
        sum(1 << place for place, sign in enumerate(number[start : start + 5]) if sign.isupper())
        for start in (0, 5, 10)
    )
    return number + "".join(_ALPHABET[tail] for tail in tails)


def _record(kind: str, record: dict[str, Any], settings: Mapping[str, Any]) -> Piece:
    number = id_of(text_at(record, "Id"))
    if not number:
        return broken(record, "It is a record without an Id. Send cases as Salesforce's API gives them.")
    return Piece(
        number,
        record,
        partial(_READERS[kind], record, number, settings),
        moment(*(text_at(record, name) for name in ("SystemModstamp", "LastModifiedDate", "CreatedDate"))),
        is_gone=value_at(record, "IsDeleted", default=False) is True,
    )


def _case(case: Any, number: str, settings: Mapping[str, Any]) -> Draft:
    contact, account = text_at(case, "ContactId"), text_at(case, "AccountId")
    host = str(settings.get("site", "")).strip().lower().removeprefix("https://").rstrip("/")
    return Draft(
        text=text_at(case, "Description").replace("\r\n", "\n"),
        title=text_at(case, "Subject"),
        sender=person(
            "salesforce",
            # Salesforce is the house's own list of customers, so its ids are how the house knows them.
            own_id=id_of(contact),
            email=text_at(case, "Contact", "Email") or text_at(case, "ContactEmail") or text_at(case, "SuppliedEmail"),
            name=text_at(case, "Contact", "Name") or text_at(case, "SuppliedName"),
            account=id_of(account),
            account_name=text_at(case, "Account", "Name"),
        ),
        language=text_at(case, "Language"),
        product=text_at(case, str(settings.get("product_field", "")).strip()),
        url=f"https://{host}/{number}" if _HOST.match(host) and number.isalnum() else "",
        submitted_at=moment(text_at(case, "CreatedDate")),
        context=facts(
            {
                "came by": text_at(case, "Origin"),
                "case": text_at(case, "CaseNumber"),
                "type": text_at(case, "Type"),
                "reason": text_at(case, "Reason"),
                "priority": text_at(case, "Priority"),
                "status": text_at(case, "Status"),
                "company": text_at(case, "SuppliedCompany"),
            }
        ),
        thread=number,
    )


def _case_comment(comment: Any, number: str, settings: Mapping[str, Any]) -> Draft:
    if value_at(comment, "IsPublished", default=True) is False:
        raise Ignored("It is a private comment.")
    author = value_at(comment, "CreatedBy", default={})
    if text_at(author, "UserType") in ("", "Standard") and not text_at(author, "ContactId"):
        raise Ignored("It is an agent's comment, or does not say whose it is. Fetch comments with CreatedBy.UserType.")
    return _answer(
        comment,
        text_at(comment, "CommentBody"),
        person(
            "salesforce",
            own_id=id_of(text_at(author, "ContactId")),
            email=text_at(author, "Email"),
            name=text_at(author, "Name"),
        ),
    )


def _mail(mail: Any, number: str, settings: Mapping[str, Any]) -> Draft:
    if value_at(mail, "Incoming", default=False) is not True:
        raise Ignored("It is an agent's answer.")
    text = text_at(mail, "TextBody") or text_of_html(text_at(mail, "HtmlBody"))
    if text.strip() and text.strip() == text_at(mail, "Parent", "Description").strip():
        raise Ignored("It is the mail that the case was made from, so the case says the same.")
    sender = person("salesforce", email=text_at(mail, "FromAddress"), name=text_at(mail, "FromName"))
    return _answer(mail, text, sender, title=text_at(mail, "Subject"))


def _answer(said: Any, text: str, sender: Sender, *, title: str = "") -> Draft:
    case = id_of(text_at(said, "ParentId"))
    return Draft(
        text=text.replace("\r\n", "\n"),
        title=title,
        sender=sender,
        submitted_at=moment(text_at(said, "MessageDate"), text_at(said, "CreatedDate")),
        thread=case,
        reply_to=case,
    )


_READERS = {"Case": _case, "CaseComment": _case_comment, "EmailMessage": _mail}


def _changes(found: dict[str, Any]) -> Iterator[Piece]:
    """An event of Change Data Capture. It holds only what changed, so of it only a deletion can be told in full."""
    header = value_at(found, "payload", "ChangeEventHeader", default=None) or value_at(found, "ChangeEventHeader")
    kind, change = text_at(header, "entityName"), text_at(header, "changeType")
    numbers = [id_of(text_at(number)) for number in list_at(header, "recordIds")]
    if kind in _READERS and change in ("DELETE", "GAP_DELETE") and any(numbers):
        for number in filter(None, numbers):
            yield Piece(number, found, Draft, moment(value_at(header, "commitTimestamp")), is_gone=True)
    else:
        yield passed_over(
            found, f'The event "{change[:40]}" of {kind[:40] or "nothing"} holds no whole case. Fetch it.'
        )
