"""Mails that SendGrid receives for us and posts as forms (Inbound Parse)."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from intake.connectors import connectors, mails, mime
from intake.connectors.base import Call, PushConnector, RawItem, Setting
from intake.connectors.formdata import Form, form_of


@connectors.register
class SendGrid(mails.MailConnector, PushConnector):
    slug = "sendgrid"
    name = "SendGrid Inbound Parse"
    largest = mails.LARGEST_CALL
    asks: ClassVar[tuple[Setting, ...]] = (mails.BASIC_AUTH, mails.OUR_ADDRESSES)

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        mails.check_basic_auth(call, secrets)

    def split(self, call: Call, *, settings: Mapping[str, Any]) -> Iterable[RawItem]:
        form = form_of(call)
        if whole := form.fields.get("email"):
            return [mails.raw_mail(whole)]
        charsets = _object(form.text("charsets"))

        def text(name: str) -> str:
            return form.text(name, charset=str(charsets.get(name) or ""))

        head = mails.completed(_head(form), text, {"From": "from", "Subject": "subject", "To": "to", "Cc": "cc"})
        if _object(form.text("envelope")).get("from") == "":
            head = mails.completed(head, lambda name: "<>", {"Return-Path": ""})
        return [mails.raw_mail(mime.composed(head, plain=text("text"), markup=text("html"), files=form.files))]


def _head(form: Form) -> list[tuple[str, str]]:
    lines = form.text("headers").replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ").split("\n")
    return [(name, value.strip()) for name, colon, value in (line.partition(":") for line in lines) if colon]


def _object(written: str) -> Mapping[str, Any]:
    try:
        found = json.loads(written)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
