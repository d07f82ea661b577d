"""Reading what arrived: submissions become feedback items in batches, and what cannot be read is parked with its reason."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from django.db.models import Q
from django.db.models.functions import Lower, Now

from feedback_portal.pending import Drained, GiveUp, drain
from feedback_portal.registry import UnknownSlug
from intake import attachments, privacy, threads
from intake.cleaning import clean_line, clean_text, excerpt
from intake.connectors.base import SCALES, Draft, Ignored, Rating, RawItem, Sender, Unreadable
from intake.models import Account, Arrival, Channel, Customer, FeedbackItem, Submission

log = structlog.get_logger("portal.normalizing")

BATCH = 500
# A customer's clock may be wrong, but not by this much into the future.
_AHEAD = timedelta(days=1)
_MOST_CONTEXT = 50
# What a later version of the same thing may say anew; when it arrived and through what stays as it was.
_CHANGEABLE = (
    "title", "text", "excerpt", "declared_language", "rating_scale", "rating_value", "product", "product_version", "url",
    "author", "thread", "is_private", "context", "submitted_at", "connector_version",
)  # fmt: skip


@dataclass(frozen=True)
class Read:
    """A submission together with what its bytes say."""

    submission: Submission
    draft: Draft


def normalize_pending(*, at: datetime) -> Drained:
    """Work off every submission that is due."""
    return drain(Submission.objects.select_related("channel"), lambda rows: normalize(rows, at=at), batch=BATCH)


def normalize(rows: Sequence[Submission], *, at: datetime) -> Mapping[int, GiveUp]:
    """Items, customers and arrivals of a batch, set-based, inside the caller's transaction; those that never become items, by
    key. Channels must be loaded."""
    hopeless: dict[int, GiveUp] = {}
    found: list[Read] = []
    gone: list[Submission] = []
    for row in rows:
        if row.quarantine_reason:
            continue
        if row.gone_at is not None:
            gone.append(row)
            continue
        try:
            found.append(Read(row, read(row)))
        except Ignored as reason:
            Submission.objects.filter(pk=row.pk).update(ignored_reason=str(reason)[:200])
        except (Unreadable, UnknownSlug) as reason:
            hopeless[row.pk] = GiveUp(str(reason))
        except Exception as error:  # a connector is a plugin: whatever breaks in it, the bytes are kept and replayable
            log.warning("connector failed", connector=row.channel.kind, submission=row.pk, exc_info=error)
            hopeless[row.pk] = GiveUp(
                f"The connector failed on it ({type(error).__name__}: {error}). Replay it once mended."
            )
    known = set(FeedbackItem.objects.filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))
    take_in([each for each in found if each.submission.pk not in known], at=at)
    _change([each for each in found if each.submission.pk in known], [row for row in gone if row.pk in known], at=at)
    for row in gone:
        privacy.erase(row, at=at)
    return hopeless


def take_in(found: Sequence[Read], *, at: datetime) -> None:
    """Customers, items, files and arrivals of what was read for the first time, set-based, inside the caller's transaction."""
    if not found:
        return
    customers = _customers([each.draft.sender for each in found])
    items = [_item(each, customers, at) for each in found]
    FeedbackItem.objects.bulk_create(items)
    threads.join(items, {each.submission.pk: each.draft.reply_to for each in found})
    _keep_files(found)
    Arrival.objects.bulk_create([Arrival(item=item) for item in items])


def _change(found: Sequence[Read], gone: Sequence[Submission], *, at: datetime) -> None:
    """What the source changed says something else from now on, under the same number and the same arrival; the floor above
    is given word to look again, at what was deleted too."""
    if found:
        customers = _customers([each.draft.sender for each in found])
        changed = [_item(each, customers, at) for each in found]
        FeedbackItem.objects.bulk_update(changed, _CHANGEABLE)
        threads.join(changed, {each.submission.pk: each.draft.reply_to for each in found})
    again = [each.submission.pk for each in found] + [row.pk for row in gone]
    if again:
        Arrival.objects.filter(item__in=again).update(
            completed_at=None, parked_at=None, lease_token=None, attempts=0, next_attempt_at=Now()
        )


def read_again(keys: Sequence[int]) -> None:
    """Give what was passed over to the connectors as they are now, to which it may mean something."""
    Submission.objects.filter(pk__in=keys, ignored_reason__gt="", gone_at=None).update(
        completed_at=None, parked_at=None, lease_token=None, attempts=0, next_attempt_at=Now(), ignored_reason=""
    )


def read(submission: Submission) -> Draft:
    """The draft a submission's bytes stand for, or `Unreadable` or `Ignored`; reads nothing else and writes nothing."""
    raw = RawItem(
        submission.external_id, bytes(submission.payload), submission.content_type, headers=submission.headers
    )
    return read_raw(submission.channel, raw)


def read_raw(channel: Channel, raw: RawItem) -> Draft:
    """The same for what is not stored yet."""
    draft = channel.connector.parse(raw, settings=channel.settings)
    if draft.rating is not None:
        _check(draft.rating)
    if not (draft.text.strip() or draft.title.strip() or draft.rating is not None):
        raise Ignored("It holds no text and no rating.")
    return draft


def _check(rating: Rating) -> None:
    if rating.scale not in SCALES:
        known = ", ".join(sorted(SCALES))
        raise Unreadable(f'There is no rating scale "{rating.scale}". Use one of {known}.')
    low, high = SCALES[rating.scale]
    if not (rating.value.is_finite() and low <= rating.value <= high):
        raise Unreadable(
            f"A rating of {rating.value} is not on the scale {rating.scale}, which goes from {low} to {high}."
        )


def _item(each: Read, customers: Mapping[Sender, Customer], at: datetime) -> FeedbackItem:
    draft, submission = each.draft, each.submission
    text = clean_text(draft.text)
    customer = customers.get(draft.sender)
    submitted_at = draft.submitted_at or submission.received_at
    return FeedbackItem(
        submission=submission,
        channel=submission.channel,
        customer=customer,
        title=clean_line(draft.title, longest=300),
        text=text,
        excerpt=excerpt(text),
        declared_language=clean_line(draft.language, longest=12).lower(),
        rating_scale=draft.rating.scale if draft.rating else "",
        rating_value=draft.rating.value.quantize(Decimal("0.01")) if draft.rating else None,
        product=clean_line(draft.product, longest=120),
        product_version=clean_line(draft.product_version, longest=60),
        url=draft.url[:1000] if draft.url.startswith(("http://", "https://")) else "",
        context={
            clean_line(name, longest=60): clean_line(str(value), longest=500)
            for name, value in list(draft.context.items())[:_MOST_CONTEXT]
        },
        author=clean_line(draft.author or draft.sender.name, longest=120) if customer is None else "",
        thread=clean_line(draft.thread, longest=255),
        is_private=draft.is_private,
        may_contact=draft.sender.may_contact and bool(draft.sender.email),
        submitted_at=min(submitted_at, at + _AHEAD),
        received_at=submission.received_at,
        connector_version=submission.channel.connector.version,
    )


def _customers(senders: Iterable[Sender]) -> dict[Sender, Customer]:
    """The customer of each sender, found by the id their system has, then by e-mail, else made. Names and addresses learned
    later fill what was empty, and replace nothing."""
    known = {sender: _Key.of(sender) for sender in senders if sender.external_id.strip() or sender.email.strip()}
    if not known:
        return {}
    accounts = _accounts(known)
    by_id = _by_external_id({key for key in known.values() if key.external_id})
    by_email = _by_email({key for key in known.values() if not key.external_id})
    found = {}
    for sender, key in known.items():
        customer = by_id[key.external_id] if key.external_id else by_email[key.email]
        _learn(customer, key, accounts.get(clean_line(sender.account_external_id, longest=200)))
        found[sender] = customer
    changed = {customer.pk: customer for customer in found.values() if getattr(customer, "learned", False)}
    Customer.objects.bulk_update(sorted(changed.values(), key=lambda one: one.pk), ["email", "name", "account"])
    return found


@dataclass(frozen=True)
class _Key:
    external_id: str
    email: str
    name: str

    @classmethod
    def of(cls, sender: Sender) -> "_Key":
        email = clean_line(sender.email, longest=254).lower()
        return cls(
            clean_line(sender.external_id, longest=200),
            email if "@" in email else "",
            clean_line(sender.name, longest=200),
        )


def _by_external_id(keys: set[_Key]) -> dict[str, Customer]:
    wanted = {key.external_id: key for key in sorted(keys, key=lambda key: key.external_id)}
    found = {one.external_id or "": one for one in Customer.objects.filter(external_id__in=wanted)}
    missing = [
        Customer(external_id=number, email=key.email, name=key.name)
        for number, key in wanted.items()
        if number not in found
    ]
    if missing:
        # Two workers may meet the same new customer: the constraint decides, and both read the one that stands.
        Customer.objects.bulk_create(missing, ignore_conflicts=True)
        numbers = [one.external_id for one in missing]
        found |= {one.external_id or "": one for one in Customer.objects.filter(external_id__in=numbers)}
    return found


def _by_email(keys: set[_Key]) -> dict[str, Customer]:
    wanted = {key.email: key for key in sorted(keys, key=lambda key: key.email)}

    def standing() -> dict[str, Customer]:
        known = Customer.objects.annotate(address=Lower("email")).filter(~Q(email=""), address__in=wanted)
        return {str(one.email).lower(): one for one in known.order_by("-pk")}

    found = standing()
    missing = [Customer(email=email, name=key.name) for email, key in wanted.items() if email not in found]
    if missing:
        Customer.objects.bulk_create(missing, ignore_conflicts=True)
        found = standing()
    return found


def _accounts(senders: Iterable[Sender]) -> dict[str, Account]:
    wanted = {
        clean_line(sender.account_external_id, longest=200): clean_line(sender.account_name, longest=200)
        for sender in senders
        if sender.account_external_id.strip()
    }
    if not wanted:
        return {}
    Account.objects.bulk_create(
        [Account(external_id=number, name=name) for number, name in sorted(wanted.items())], ignore_conflicts=True
    )
    return {account.external_id: account for account in Account.objects.filter(external_id__in=wanted)}


def _learn(customer: Customer, key: _Key, account: Account | None) -> None:
    learned = False
    if key.email and not customer.email:
        customer.email, learned = key.email, True
    if key.name and not customer.name:
        customer.name, learned = key.name, True
    if account is not None and customer.account_id is None:
        customer.account, learned = account, True
    customer.learned = learned or getattr(customer, "learned", False)  # type: ignore[attr-defined]


def _keep_files(found: Sequence[Read]) -> None:
    files = [(each.submission, file) for each in found for file in each.draft.files]
    if files:
        attachments.kept(attachments.stored(file for _, file in files), [submission for submission, _ in files])
