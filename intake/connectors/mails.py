"""What every way a mail may come in by has in common: a mail's bytes, and the draft of what its sender said."""

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from intake.connectors import mime
from intake.connectors.base import Call, Connector, Draft, Forged, Ignored, RawItem, Sender, Setting, Unreadable
from intake.connectors.headers import Address
from intake.connectors.moments import Unclear, exact_moment
from intake.connectors.replies import reply_of
from intake.connectors.signatures import same

CONTENT_TYPE = "message/rfc822"
# How long a call may be that brings a mail with its files.
LARGEST_CALL = 15 * 1024 * 1024
# Set beside a mail by whoever fetched it: when the mailbox took it, and how long it was where it was too long to fetch.
ARRIVED = "arrived-at"
LEFT_THERE = "left-at-source"

OUR_ADDRESSES = Setting(
    "our_addresses",
    "Our own addresses",
    help="Separated by commas; @example.com stands for all of a domain. Mail from them is not feedback.",
)

BASIC_AUTH = Setting(
    "basic_auth",
    "User name and password, as user:password",
    help="The service does not sign its calls. Write the same into the address you give it:"
    " https://user:password@… Without any, the address alone keeps strangers out.",
    is_secret=True,
)

_COLON = "(?::|\\N{FULLWIDTH COLON})"
_PREFIX = re.compile(
    r"\s*(?:\[[^\[\]]{1,40}\]|(?:re|fwd?|aw|wg|sv|vs|tr|rv|res|enc|antw|odp|pd|回复|转发)(?:\[\d{1,3}\])?\s?"
    rf"{_COLON})\s*",
    re.IGNORECASE,
)
_FORWARD = re.compile(rf"\s*(?:fwd?|wg|tr|rv|enc|转发)\s?{_COLON}", re.IGNORECASE)
_MOST_PREFIXES = 10
_REPORTS = (
    "multipart/report",
    "message/delivery-status",
    "message/disposition-notification",
    "message/feedback-report",
)
_MACHINES = ("mailer-daemon", "postmaster")
_MARKS = ("x-autoreply", "x-autorespond", "x-autoreply-from", "x-mail-autoreply", "x-auto-reply-from")


class MailConnector(Connector):
    """A connector whose raw items are mails, byte by byte as RFC 5322 has them."""

    asks: ClassVar[tuple[Setting, ...]] = (OUR_ADDRESSES,)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        if size := raw.headers.get(LEFT_THERE):
            raise Unreadable(mime.too_long(int(size)) + " Only its beginning was taken in.")
        return _draft(mime.mail_of(raw.payload), raw, ours=_ours(settings))


def raw_mail(content: bytes, *, arrived_at: datetime | None = None, size: int | None = None) -> RawItem:
    """A mail as an item. `size` is how long it really is, where only its beginning was read."""
    told = {ARRIVED: arrived_at.isoformat() if arrived_at else "", LEFT_THERE: str(size) if size else ""}
    headers = {name: value for name, value in told.items() if value}
    return RawItem(mime.identity(content), content, CONTENT_TYPE, headers)


def completed(
    head: Sequence[tuple[str, str]], told: Callable[[str], str], fields: Mapping[str, str]
) -> list[tuple[str, str]]:
    """A service's header fields, and for those that are missing what it told beside them, by the names it has for them."""
    known = {name.strip().lower() for name, _ in head}
    missing = [(name, told(field)) for name, field in fields.items() if name.lower() not in known]
    return [*head, *((name, value) for name, value in missing if value)]


def check_basic_auth(call: Call, secrets: Mapping[str, str]) -> None:
    """Raise `Forged` unless the call names the user and the password that the channel has, where it has any."""
    wanted = secrets.get(BASIC_AUTH.name, "")
    given = call.headers.get("authorization", "").partition(" ")[2].strip()
    if wanted and not same(given, base64.b64encode(wanted.encode()).decode()):
        raise Forged("It names another user or password than this channel's.")


def _draft(mail: mime.Mail, raw: RawItem, *, ours: frozenset[str]) -> Draft:
    head = mail.headers
    writers = head.addresses("from") or head.addresses("sender")
    writer = writers[0] if writers else Address("", "")
    # A form on a web site writes in our own name, and says whom to answer.
    if _is_ours(writer, ours):
        others = [each for each in head.addresses("reply-to") if each.email and not _is_ours(each, ours)]
        writer = others[0] if others else writer
    for name in ("to", "cc"):
        head.addresses(name)  # a mail to hundreds is refused
    if reason := _automatic(mail) or (
        f"It comes from {writer.email[:100]}, one of our own." if _is_ours(writer, ours) else ""
    ):
        raise Ignored(reason)
    subject = head.text("subject")
    is_forward = _FORWARD.match(subject) is not None
    reply = reply_of(mail.text)
    text = mail.text if is_forward else reply.text
    references, answered = head.ids("references"), head.ids("in-reply-to")
    own_id = head.message_id()
    text = "\n\n".join(part for part in (text.strip(), *mail.forwarded) if part)
    title = _title(subject)
    if not (text or title) and mail.files:
        title = mail.files[0].name  # a picture alone says something too
    return Draft(
        text=text,
        title=title,
        sender=Sender(email=writer.email, name=writer.name, may_contact=bool(writer.email)),
        submitted_at=head.moment() or _arrived(raw),
        context=_context(mail, is_shortened=reply.is_shortened and not is_forward),
        files=tuple(mail.files),
        remarks=tuple(mail.remarks),
        thread=(references or answered or [own_id])[0],
        reply_to=(answered or references[-1:] or [""])[0],
        is_private=True,
    )


def _context(mail: mime.Mail, *, is_shortened: bool) -> dict[str, str]:
    addressed = mail.headers.addresses("to")
    told = {
        "to": addressed[0].email if addressed else "",
        "quoted text": "yes" if is_shortened else "",
        "forwarded mails": str(len(mail.forwarded) or ""),
    }
    return {name: value for name, value in told.items() if value}


def _automatic(mail: mime.Mail) -> str:
    """Why no person wrote it; empty when one may have."""
    head = mail.headers
    told = head.raw("auto-submitted").partition(";")[0].strip().lower()
    precedence = head.raw("precedence").lower()
    writers = [each.email.lower() for each in head.addresses("from")]
    if mail.kind in _REPORTS or "x-failed-recipients" in head:
        return "It is a report on the delivery of a mail, sent by a program."
    if told and told != "no":
        return f"It was sent automatically (Auto-Submitted: {told[:40]})."
    if any(mark in head for mark in _MARKS) or precedence == "auto_reply":
        return "It is an automatic reply."
    if precedence in ("bulk", "junk"):
        return f"It was sent to many at once (Precedence: {precedence})."
    if head.raw("return-path").replace(" ", "") == "<>" or any(one.startswith(_MACHINES) for one in writers):
        return "It comes from a mail system, not from a person."
    return ""


def _title(subject: str) -> str:
    """The subject without what mail programs and lists put before it."""
    title = subject
    for _ in range(_MOST_PREFIXES):
        shorter = _PREFIX.sub("", title, count=1) if _PREFIX.match(title) else title
        if shorter == title or not shorter.strip():
            break
        title = shorter
    return title.strip()


def _arrived(raw: RawItem) -> datetime | None:
    try:
        return exact_moment(raw.headers.get(ARRIVED, ""))
    except Unclear:
        return None


def _ours(settings: Mapping[str, Any]) -> frozenset[str]:
    written: Iterable[str] = str(settings.get(OUR_ADDRESSES.name) or "").split(",")
    return frozenset(one for each in written if (one := each.strip().lower()))


def _is_ours(address: Address, ours: frozenset[str]) -> bool:
    email = address.email.lower()
    return bool(email) and (email in ours or "@" + email.rpartition("@")[2] in ours)
