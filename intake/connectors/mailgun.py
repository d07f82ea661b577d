"""Mails that Mailgun receives for us and posts as forms (routes with a forward action)."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from intake.connectors import connectors, mails, mime
from intake.connectors.base import Call, Forged, PushConnector, RawItem, Setting
from intake.connectors.formdata import Form, form_of
from intake.connectors.signatures import check

# Mailgun tries for eight hours with the same stamp; its token tells a second try from a new call.
_OLDEST = timedelta(hours=12)


@connectors.register
class Mailgun(mails.MailConnector, PushConnector):
    slug = "mailgun"
    name = "Mailgun"
    largest = mails.LARGEST_CALL
    asks: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "signing_key",
            "HTTP webhook signing key",
            help="In Mailgun under Sending, Webhooks. It signs the time and the token of every call, though not the mail.",
            is_secret=True,
            is_required=True,
        ),
        mails.OUR_ADDRESSES,
    )

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        form = form_of(call)
        stamp, token = form.text("timestamp"), form.text("token")
        check(form.text("signature"), secrets.get("signing_key", ""), (stamp + token).encode(), encoding="hex")
        try:
            late = abs(at - datetime.fromtimestamp(int(stamp), UTC))
        except (ValueError, OverflowError, OSError):
            raise Forged("It names no time it was sent at.") from None
        if late > _OLDEST:
            raise Forged("It was sent more than twelve hours from now.")

    def delivery_id(self, call: Call) -> str:
        """The token is used once, so whoever heard a call cannot send another mail with it."""
        return form_of(call).text("token")

    def split(self, call: Call, *, settings: Mapping[str, Any]) -> Iterable[RawItem]:
        form = form_of(call)
        if whole := form.fields.get("body-mime"):
            return [mails.raw_mail(whole)]
        plain, markup = form.text("body-plain"), form.text("body-html")
        return [mails.raw_mail(mime.composed(_head(form), plain=plain, markup=markup, files=form.files))]


def _head(form: Form) -> list[tuple[str, str]]:
    try:
        told = json.loads(form.text("message-headers") or "[]")
    except (ValueError, RecursionError):
        told = []
    pairs = told if isinstance(told, list) else []
    head = [(str(pair[0]), str(pair[1])) for pair in pairs if isinstance(pair, list) and len(pair) == 2]
    return mails.completed(
        head, form.text, {"From": "from", "Subject": "subject", "To": "recipient", "Return-Path": "sender"}
    )
