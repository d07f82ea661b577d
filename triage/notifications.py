"""What the customer is told, and when: written with the decision it tells about, delivered by a drain."""

import re
import smtplib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.smtp import EmailBackend
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext

from feedback_portal.accounts.models import User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.languages import speaking
from feedback_portal.marking import marked
from feedback_portal.pending import Drained, GiveUp, drain_outside
from intake import receiving
from intake.customers import is_address
from intake.models import FeedbackItem
from triage.lifecycle import Resolution
from triage.models import Event, Notification, Ticket
from triage.models.events import mark_changed

# Long enough to take a message back, short enough that nobody waits for it.
SEND_DELAY = timedelta(seconds=10)
RECEIPTS_AN_HOUR = 1
RECEIPTS_A_DAY = 3
# So many people one channel writes to by itself: whoever names the addresses of strangers in it reaches no more of them.
RECEIPTS_OF_A_CHANNEL_AN_HOUR = 200
# However many of somebody's items end on one day, they are not written to more often; their pages show the rest.
OUTCOMES_A_DAY = 10
# Whatever actions ship on one day, nobody gets more mails about them than this.
CHANGES_A_DAY = 3
# An item this old was imported, not sent just now: its customer expects no receipt.
RECEIPT_WITHIN = timedelta(days=1)

# Written to many at once: marked as such, so that no auto-responder answers, and without a sender on the envelope.
_TO_MANY = frozenset({Notification.Kind.CHANGE, Notification.Kind.STILL_FIXED})
# The others that no person writes. Replies are letters, and bear no mark.
_BY_ITSELF = frozenset({Notification.Kind.RESOLUTION, Notification.Kind.STAFF})
# What a person is called at most; longer ones are sentences, or meant to fill a page.
_LONGEST_NAME = 60
_PLAIN_NAME = re.compile(r"[^\W\d_]+(?:(?:[ '\u2019-]|[.,] )[^\W\d_]+){0,5}\.?\Z")

SENTENCES = {
    Resolution.SHIPPED: marked("We changed something because of it."),
    Resolution.ANSWERED: marked("We answered it."),
    Resolution.DECLINED: marked("We decided not to change this, for a reason you can read below."),
    Resolution.NOT_REPRODUCIBLE: marked(
        "We looked for the fault and could not find it. Tell us more on your page if it is still there."
    ),
    Resolution.DUPLICATE: marked("Others told us the same, and it is treated together with theirs."),
}


def write_receipts(items: Sequence[FeedbackItem], *, at: datetime) -> None:
    """A receipt for each of these new items whose sender asked to be written to; none to people who get too many.

    A receipt holds nothing its sender typed, so that nobody can make the portal write to strangers. Their customers must
    be loaded.
    """
    wanted = [item for item in items if _may_write(item) and item.received_at > at - RECEIPT_WITHIN]
    if not wanted:
        return
    had_hour, had_day = _recent_receipts({_address(item) for item in wanted}, at)
    through = _recent_through({item.channel_id for item in wanted}, at)
    rows = []
    for item in wanted:
        address = _address(item)
        if had_hour[address] >= RECEIPTS_AN_HOUR or had_day[address] >= RECEIPTS_A_DAY:
            continue
        if through[item.channel_id] >= RECEIPTS_OF_A_CHANNEL_AN_HOUR:
            continue
        had_hour[address] += 1
        had_day[address] += 1
        through[item.channel_id] += 1
        rows.append(
            Notification(
                item=item,
                kind=Notification.Kind.RECEIPT,
                once_key=f"receipt:{item.pk}",
                recipient=address,
                **_words("receipt", item, marked("We received your feedback %(reference)s")),
            )
        )
    Notification.objects.bulk_create(rows, ignore_conflicts=True)


def write_reply(ticket: Ticket, *, text: str, by: Actor) -> None:
    """What a person wrote to the customer, as a mail; on their private page it stands anyway."""
    subject = marked("%(organisation)s answered your feedback %(reference)s")
    _write([ticket], Notification.Kind.REPLY, decided=ticket, subject=subject, text=text, person=by.name)


def write_outcomes(ticket: Ticket, parts: Sequence[Ticket]) -> None:
    """What came of an item, to its customer, when the last team is done with its part (`siblings.outcomes`); nothing to tell,
    no message. A duplicate's customer hears of the original instead."""
    if parts:
        _write_resolution([ticket], parts, decided=ticket)


def write_to_merged(ticket: Ticket) -> None:
    """The outcome of a ticket, to those whose voices were merged into it: one mail to each of them, however often they said it."""
    merged = Ticket.objects.filter(duplicate_of=ticket.pk).select_related("item__customer", "item__submission")
    voices: dict[str, Ticket] = {}
    for voice in merged.order_by("pk"):
        if _may_write(voice.item):
            voices.setdefault(_address(voice.item), voice)
    if _may_write(ticket.item):
        voices.pop(_address(ticket.item), None)  # whoever said the original hears of it by that
    _write_resolution(list(voices.values()), [ticket], decided=ticket)


def _write_resolution(voices: Sequence[Ticket], parts: Sequence[Ticket], *, decided: Ticket) -> None:
    had = _recent({_address(voice.item) for voice in voices}, timezone.now(), Notification.Kind.RESOLUTION)
    _write(
        [voice for voice in voices if had[_address(voice.item)] < OUTCOMES_A_DAY],
        Notification.Kind.RESOLUTION,
        decided=decided,
        subject=marked("Your feedback %(reference)s has an outcome"),
        parts=[
            {
                "team": part.team.name if len(parts) > 1 else "",
                "sentence": SENTENCES.get(Resolution(part.resolution), ""),
                "reason": part.resolution_reason,
            }
            for part in parts
        ],
    )


def write_changes(
    voices: Sequence[Ticket], kind: Notification.Kind, *, once: str, texts: Mapping[str, str], at: datetime
) -> Counter[str]:
    """What an action changed (or the question whether it stayed changed), once under this key to each customer among these voices, in
    their language; how many were written to, and why others were not. Items, customers and submissions must be loaded.

    Only what colleagues wrote and reviewed is in it, and nothing a customer typed but a plain name.
    """
    counts = Counter[str]()
    wanted = {}
    for voice in voices:
        if why := why_not(voice.item):
            counts[why] += 1
        elif voice.item.customer_id in wanted:
            counts["same_person"] += 1
        else:
            wanted[voice.item.customer_id] = voice
    addresses = [_address(voice.item) for voice in wanted.values()]
    had = _recent(addresses, at, Notification.Kind.CHANGE, Notification.Kind.STILL_FIXED)
    rows = []
    for customer, voice in wanted.items():
        if had[_address(voice.item)] >= CHANGES_A_DAY:
            counts["too_many"] += 1
            continue
        had[_address(voice.item)] += 1
        language = language_of(voice.item)
        words = _words(kind, voice.item, _SUBJECTS[kind], text=texts.get(language) or texts.get("", ""))
        rows.append(
            Notification(
                item=voice.item,
                ticket=voice,
                kind=kind,
                once_key=f"{once}:{customer}",
                recipient=_address(voice.item),
                **words,
                next_attempt_at=Now() + SEND_DELAY,
            )
        )
    # Whoever was written to by a part before this one has the same key.
    known = set(
        Notification.objects.filter(once_key__in=[row.once_key for row in rows]).values_list("once_key", flat=True)
    )
    Notification.objects.bulk_create(rows, ignore_conflicts=True)
    counts["told"] += sum(row.once_key not in known for row in rows)
    counts["same_person"] += sum(row.once_key in known for row in rows)
    return +counts


def why_not(item: FeedbackItem) -> str:
    """Why this customer is not written to; empty when they may be."""
    customer = item.customer
    if customer is None or not is_address(customer.email):
        return "no_address"
    if customer.opted_out_at is not None:
        return "opted_out"
    if not item.may_contact:
        return "no_consent"
    return "" if _may_write(item) else "gone"


def plain_name(name: str) -> str:
    """The name if it can be one, else nothing: they typed it themselves, and an address of a page or an offer is no name."""
    return name if len(name) <= _LONGEST_NAME and _PLAIN_NAME.match(name) else ""


def language_of(item: FeedbackItem) -> str:
    """The language they are written to in."""
    with speaking(item.declared_language, item.customer.language if item.customer else "") as language:
        return language


def write_to_staff(people: Iterable[User], *, once: str, subject: str, text: str) -> None:
    """The same message to each of these colleagues, once under this key. What customers wrote belongs in neither part."""
    rows = [
        Notification(
            kind=Notification.Kind.STAFF,
            once_key=f"{once}:{person.pk}"[:120],
            recipient=person.email,
            subject=subject[:200],
            body=f"Hello {person.name},\n\n{text}\n\n{settings.ORGANISATION}\n",
        )
        for person in people
        if person.is_active
    ]
    Notification.objects.bulk_create(rows, ignore_conflicts=True)


def withdraw(ticket: Ticket, *, version: int) -> None:
    """Take back messages of a decision that is undone, if they have not gone out."""
    of_ticket = Notification.objects.filter(Q(ticket=ticket) | Q(ticket__duplicate_of=ticket), attempts=0)
    of_ticket.filter(once_key__endswith=f":{ticket.pk}:{version}", completed_at=None, parked_at=None).delete()


def deliver_pending() -> Drained:
    """Send what is due; a refusal for good is parked, anything else is tried again later."""
    rows = Notification.objects.select_related("item__submission", "ticket").defer(
        "item__text", "item__context", "item__submission__payload", "item__submission__headers"
    )
    # Opened by the first message, so that a server that is down fails messages, each with its pause, and not the drain.
    mail = get_connection()
    try:
        return drain_outside(rows, lambda row: _send(row, mail), lambda row, _: record_sent({row: timezone.now()}))
    finally:
        mail.close()


def record_sent(sent: Mapping[Notification, datetime]) -> None:
    """What messages that went out, each at its time, add to the stories of their items. The items must be loaded."""
    kinds = {
        Notification.Kind.RECEIPT: Event.Type.RECEIPT,
        Notification.Kind.RESOLUTION: Event.Type.CUSTOMER_TOLD,
        Notification.Kind.CHANGE: Event.Type.CUSTOMER_TOLD,
    }
    told = [row for row in sent if row.item is not None and row.kind in kinds]
    Event.objects.bulk_create(
        Event(
            item=row.item,
            ticket=row.ticket,
            type=kinds[Notification.Kind(row.kind)],
            source=Event.Source.SYSTEM,
            data={"notification": str(row.public_id)},
            occurred_at=sent[row],
        )
        for row in told
    )
    mark_changed(row.item.received_at for row in told if row.item is not None)


def _send(row: Notification, mail: Any) -> None:
    """At least once: a crash after the server took it sends it again, under the same Message-ID."""
    host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    headers = {"Message-ID": f"<{row.public_id}@{host}>"}
    if row.item is not None:
        headers["List-Unsubscribe"] = f"<{receiving.tracking_url(row.item.submission)}>"
    if row.kind == Notification.Kind.RECEIPT:
        # Auto-responders leave what says this alone (RFC 3834), which is what ends loops.
        headers["Auto-Submitted"] = "auto-replied"
        headers["Precedence"] = "auto_reply"
    elif row.kind in _TO_MANY or row.kind in _BY_ITSELF:
        headers["Auto-Submitted"] = "auto-generated"
    message = EmailMessage(row.subject, row.body, to=[row.recipient], headers=headers, connection=mail)
    try:
        mail.open()
        _hand_over(message, mail, is_automatic=row.kind in {Notification.Kind.RECEIPT, *_TO_MANY})
    except smtplib.SMTPRecipientsRefused as refused:
        code, said = next(iter(refused.recipients.values()))
        raise _lasting(code, said, refused) from None
    except smtplib.SMTPDataError as refused:
        mail.close()
        raise _lasting(refused.smtp_code, refused.smtp_error, refused) from None
    except OSError:
        # The connection may be in any state after an error; the next message opens a new one.
        mail.close()
        raise


def _hand_over(message: EmailMessage, mail: Any, *, is_automatic: bool) -> None:
    """Automatic mail goes out without a sender on its envelope (RFC 3834, 3.3), so that its bounces come back to nobody;
    a server that insists on a sender gets ours."""
    if is_automatic and isinstance(mail, EmailBackend) and mail.connection is not None:
        raw: Any = message.message()
        try:
            mail.connection.sendmail("", message.recipients(), raw.as_bytes(linesep="\r\n"))
        except smtplib.SMTPSenderRefused:
            pass
        else:
            return
    message.send()


def _lasting(code: int, said: bytes | str, refused: Exception) -> Exception:
    """5xx is for good (RFC 5321, 4.2.1); everything else may pass."""
    if not 500 <= code < 600:
        return refused
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return GiveUp(f"The mail server refuses this for good: {code} {text}")


def _write(voices: Sequence[Ticket], kind: str, *, decided: Ticket, subject: str, **said: Any) -> None:
    """One message for each of these voices that may be written to; items, customers and submissions must be loaded."""
    rows = [
        Notification(
            item=voice.item,
            ticket=voice,
            kind=kind,
            once_key=f"{kind}:{voice.pk}:{decided.pk}:{decided.version}",
            recipient=_address(voice.item),
            **_words(kind, voice.item, subject, **said),
            next_attempt_at=Now() + SEND_DELAY,
        )
        for voice in voices
        if _may_write(voice.item)
    ]
    Notification.objects.bulk_create(rows, ignore_conflicts=True)


def _may_write(item: FeedbackItem) -> bool:
    """Every path to a mailbox passes here: they asked for it, they can be reached, and they did not opt out."""
    customer = item.customer
    if not item.may_contact or customer is None or not is_address(customer.email):
        return False
    if customer.opted_out_at is not None or customer.erased_at is not None or item.submission.gone_at is not None:
        return False
    return customer.email != parseaddr(settings.DEFAULT_FROM_EMAIL)[1].lower()


def _address(item: FeedbackItem) -> str:
    return item.customer.email if item.customer else ""


def _recent_receipts(addresses: Iterable[str], now: datetime) -> tuple[Counter[str], Counter[str]]:
    recent: QuerySet[Notification] = Notification.objects.filter(
        recipient__in=addresses, kind=Notification.Kind.RECEIPT, created_at__gt=now - timedelta(days=1)
    )
    hour, day = Counter[str](), Counter[str]()
    for address, at in recent.values_list("recipient", "created_at"):
        day[address] += 1
        hour[address] += at > now - timedelta(hours=1)
    return hour, day


def _recent(addresses: Iterable[str], now: datetime, *kinds: Notification.Kind) -> Counter[str]:
    """How many mails of these kinds each address was written within a day."""
    recent = Notification.objects.filter(
        recipient__in=set(addresses), kind__in=kinds, created_at__gt=now - timedelta(days=1)
    )
    return Counter(recent.values_list("recipient", flat=True))


def _recent_through(channels: Iterable[int], now: datetime) -> Counter[int]:
    """How many receipts each channel has had written within an hour."""
    recent = Notification.objects.filter(
        kind=Notification.Kind.RECEIPT, created_at__gt=now - timedelta(hours=1), item__channel__in=set(channels)
    )
    return Counter(recent.values_list("item__channel", flat=True))


_SUBJECTS = {
    Notification.Kind.CHANGE: marked("%(organisation)s changed something because of your feedback %(reference)s"),
    Notification.Kind.STILL_FIXED: marked("Did it stay fixed? Your feedback %(reference)s"),
}


def _words(kind: str, item: FeedbackItem, subject: str, **said: Any) -> dict[str, str]:
    """Subject and body, in the customer's language whoever writes: the one of their words, else the one they are known to read."""
    customer = item.customer
    context = {
        "organisation": settings.ORGANISATION,
        "reference": item.reference,
        "name": plain_name(customer.name) if customer and kind != Notification.Kind.RECEIPT else "",
        "tracking_url": receiving.tracking_url(item.submission),
    }
    with speaking(item.declared_language, customer.language if customer else ""):
        return {
            "subject": gettext(subject) % context,
            "body": render_to_string(f"mail/{kind}.txt", context | said),
        }
