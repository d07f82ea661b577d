"""Salesforce's outbound messages: SOAP calls with up to a hundred records, which want to be acknowledged."""

from typing import Any
from xml.etree.ElementTree import Element

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from intake.connectors.base import Unreadable

ACKNOWLEDGED = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>"
)
_OUTBOUND = "{http://soap.sforce.com/2005/09/outbound}"
_INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"
_FLAGS = {"true": True, "false": False}
# The members that the API gives as true or false; any other may hold these words as somebody's own.
_FLAGGED = frozenset(["IsDeleted", "IsPublished", "Incoming"])


def is_outbound_message(body: bytes) -> bool:
    """XML rather than JSON, whatever else it turns out to be."""
    return body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def records_of(body: bytes) -> list[dict[str, Any]]:
    """Its records, as the API gives them in JSON. `Unreadable` for other XML."""
    try:
        envelope = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise Unreadable("It is no XML that can be read. Have Salesforce send an outbound message.") from None
    found = [_record(each) for each in envelope.iterfind(f".//{_OUTBOUND}Notification/{_OUTBOUND}sObject")]
    if not found:
        raise Unreadable("It is XML without notifications. Have Salesforce send an outbound message of cases.")
    return found


def _record(thing: Element) -> dict[str, Any]:
    record: dict[str, Any] = {"attributes": {"type": _local(thing.get(f"{_INSTANCE}type", ""))}}
    for each in thing:
        name, value = _local(each.tag), (each.text or "")
        if each.get(f"{_INSTANCE}nil") != "true":
            record.setdefault(name, _FLAGS.get(value, value) if name in _FLAGGED else value)
    return record


def _local(name: str) -> str:
    """A name without its namespace, written out or as a prefix."""
    return name.rpartition("}")[2].rpartition(":")[2]
