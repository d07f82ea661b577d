"""Mails that Postmark receives for us and posts as JSON (inbound stream)."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from intake.connectors import connectors, mails, mime
from intake.connectors.base import Call, File, PushConnector, RawItem, Setting, Unreadable
from intake.connectors.documents import document, list_at, text_at


@connectors.register
class Postmark(mails.MailConnector, PushConnector):
    slug = "postmark"
    name = "Postmark"
    largest = mails.LARGEST_CALL
    asks: ClassVar[tuple[Setting, ...]] = (mails.BASIC_AUTH, mails.OUR_ADDRESSES)

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        mails.check_basic_auth(call, secrets)

    def delivery_id(self, call: Call) -> str:
        return text_at(document(call.body), "MessageID") or super().delivery_id(call)

    def split(self, call: Call, *, settings: Mapping[str, Any]) -> Iterable[RawItem]:
        found = document(call.body)
        if whole := text_at(found, "RawEmail"):
            return [mails.raw_mail(whole.encode("utf-8", "replace"))]
        if not (text_at(found, "From") or text_at(found, "MessageID")):
            raise Unreadable("It is no mail of Postmark's. Have its inbound stream, and nothing else, post here.")
        head = [(text_at(each, "Name"), text_at(each, "Value")) for each in list_at(found, "Headers")]
        fields = {"From": "From", "Subject": "Subject", "To": "To", "Cc": "Cc", "Date": "Date", "Reply-To": "ReplyTo"}
        # Its own id, where the mail came with none.
        fields["Message-ID"] = "MessageID"
        head = mails.completed(head, lambda name: text_at(found, name), fields)
        files = [file for each in list_at(found, "Attachments") if (file := _file(each))]
        plain, markup = text_at(found, "TextBody"), text_at(found, "HtmlBody")
        return [mails.raw_mail(mime.composed(head, plain=plain, markup=markup, files=files))]


def _file(found: Any) -> File | None:
    try:
        content = base64.b64decode(text_at(found, "Content") or text_at(found, "Data"))
    except (binascii.Error, ValueError):
        return None
    return File(text_at(found, "Name"), text_at(found, "ContentType"), content) if content else None
