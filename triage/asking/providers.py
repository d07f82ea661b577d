"""Which models outside may be asked, what they may cost a day, when they rest, and how often they were right."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from django.db import connection
from django.db.models import F, Sum, Value
from django.db.models.functions import Greatest, Now
from django.utils.formats import number_format
from django.utils.translation import gettext

from feedback_portal import outgoing
from feedback_portal.accounts.permissions import Actor
from feedback_portal.languages import percent, said
from feedback_portal.refusals import BadInput, InputError, NotAllowed, NotFound
from intake.cleaning import clean_line
from triage.learning import corrections
from triage.models import Analysis, Provider, ProviderAnswer, ProviderDay, Question
from triage.models.learning import Field
from triage.models.providers import LONGEST_SECONDS
from triage.taggers.outside import KINDS, Kind

log = structlog.get_logger("portal.asking")

FAILURES: Final = 5
"""After so many in a row it rests: a minute, then twice as long after each further one, up to an hour."""
FIRST_REST, LONGEST_REST = timedelta(minutes=1), timedelta(hours=1)
_MOST_REQUESTS, _MOST_TOKENS = 1_000_000, 1_000_000_000
_MOST_COUNTED = 2_000
# What is believed of a model before anybody has corrected what it said: seven of ten.
_RIGHT_BEFORE, _ASKED_BEFORE = 7, 10
_FIELDS: Final[Mapping[str, str]] = {
    "topics": "topic",
    "sentiment": "sentiment",
    "urgency": "urgency",
    "spam": "spam",
}


@dataclass(frozen=True)
class Record:
    """Of what it said about items that people then decided on, so many were right."""

    right: int = 0
    n: int = 0

    @property
    def confidence(self) -> float:
        """How sure one may be of its next answer: its record, held to what is believed of any model while it is short."""
        return round((self.right + _RIGHT_BEFORE) / (self.n + _ASKED_BEFORE), 4)


@dataclass(frozen=True)
class Spent:
    requests: int = 0
    tokens: int = 0
    answers: int = 0
    failures: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class Standing:
    """How one tagger's model outside is doing: "none", "off", "on", or "resting" until `provider.rests_until` or tomorrow."""

    kind: Kind
    provider: Provider | None
    state: str
    sentence: str
    today: Spent
    month: Spent
    record: Record
    waiting: int


def save(tagger: str, given: Mapping[str, Any], *, by: Actor, at: datetime) -> Provider:
    """Set it up as the form says; an empty key leaves the one that is there, `forget_key` takes it away. Whoever changes something
    ends its rest. `BadInput` names what is wrong, field by field."""
    _may(by)
    if tagger not in KINDS:
        raise NotFound(gettext("There is no such tagger. Choose one from the list."))
    errors: list[InputError] = []
    provider = Provider.objects.filter(tagger=tagger).first() or Provider(tagger=tagger)
    was = (provider.base_url, provider.model)
    provider.base_url = _address(given, errors)
    provider.model = clean_line(str(given.get("model", "")), longest=120)
    if not provider.model:
        errors.append(InputError("model", gettext("Name the model, as its server calls it.")))
    provider.seconds = _number(given, "seconds", 1, LONGEST_SECONDS, errors)
    provider.daily_requests = _number(given, "daily_requests", 0, _MOST_REQUESTS, errors)
    provider.daily_tokens = _number(given, "daily_tokens", 0, _MOST_TOKENS, errors)
    provider.below = _number(given, "below", 0, 100, errors) / 100
    if errors:
        raise BadInput(gettext("Correct what is marked and send it again."), errors=tuple(errors))
    key = str(given.get("key", "")).strip()
    if key:
        provider.key = key
    elif given.get("forget_key") or urlsplit(was[0]).netloc not in ("", urlsplit(provider.base_url).netloc):
        # A key is for the server it was entered for, and never goes to another.
        provider.key = ""
    provider.is_enabled = bool(given.get("is_enabled"))
    provider.failures, provider.rests_until, provider.last_error = 0, None, ""
    provider.changed_by, provider.changed_at = by.user, at
    provider.save()
    Question.objects.waiting().filter(provider=provider, lease_token=None).update(next_attempt_at=Now())
    log.info("provider set up", tagger=tagger, enabled=provider.is_enabled, person=by.user.pk if by.user else None)
    return provider


def standings(*, at: datetime) -> list[Standing]:
    """Each tagger that may ask a model outside, whether or not one is set up."""
    there = {provider.tagger: provider for provider in Provider.objects.all()}
    return [_standing(kind, there.get(kind.tagger), at=at) for kind in KINDS.values()]


def spend(provider: Provider, tokens: int, *, at: datetime) -> bool:
    """Count a request that is about to be sent, with about so many tokens; False, and nothing counted, where the day's budget does
    not allow it. However many ask at once, it is not overdrawn."""
    if provider.daily_requests < 1 or tokens > provider.daily_tokens:
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO triage_providerday AS day (provider_id, day, requests, tokens) VALUES (%(provider)s, %(day)s, 1, %(tokens)s)"
            " ON CONFLICT (provider_id, day) DO UPDATE SET requests = day.requests + 1, tokens = day.tokens + %(tokens)s"
            " WHERE day.requests < %(requests)s AND day.tokens + %(tokens)s <= %(budget)s RETURNING 1",
            {
                "provider": provider.pk,
                "day": _day(at),
                "tokens": tokens,
                "requests": provider.daily_requests,
                "budget": provider.daily_tokens,
            },
        )
        return cursor.fetchone() is not None


def count_answer(provider: Provider, *, over: int, dropped: int, at: datetime) -> None:
    """It answered; `over` is how many tokens more (or fewer) that took than `spend` was told."""
    ProviderDay.objects.filter(provider=provider, day=_day(at)).update(
        answers=F("answers") + 1, dropped=F("dropped") + dropped, tokens=_no_less_than_none(over)
    )
    Provider.objects.filter(pk=provider.pk).update(failures=0, rests_until=None, last_error="", last_answer_at=at)


def count_failure(provider: Provider, trouble: str, *, at: datetime, rest: timedelta | None = None) -> datetime | None:
    """It failed; until when it rests now, if it does. `rest` makes it rest at once, for so long."""
    ProviderDay.objects.filter(provider=provider, day=_day(at)).update(failures=F("failures") + 1)
    mine = Provider.objects.filter(pk=provider.pk)
    mine.update(failures=F("failures") + 1, last_error=trouble.replace("\x00", " ")[:500])
    failures = mine.values_list("failures", flat=True).get()
    if rest is None and failures >= FAILURES:
        rest = min(LONGEST_REST, FIRST_REST * 2 ** min(failures - FAILURES, 10))
    if rest is None:
        return None
    mine.update(rests_until=at + rest)
    log.warning("provider rests", tagger=provider.tagger, failures=failures, seconds=int(rest.total_seconds()))
    return at + rest


def tomorrow(at: datetime) -> datetime:
    """When the next day's budget begins."""
    return datetime.combine(_day(at) + timedelta(days=1), datetime.min.time(), tzinfo=UTC)


def record_of(provider: Provider) -> Record:
    """How often the first label its model named is what a person said."""
    field = _FIELDS[provider.tagger]
    if field not in Field.values:
        return Record()
    said = {each.item: each.label for each in corrections.corrections(field, most=_MOST_COUNTED)}
    hashes = dict(Analysis.objects.filter(item__in=said, text_hash__isnull=False).values_list("item", "text_hash"))
    answers = ProviderAnswer.objects.filter(
        tagger=provider.tagger, model=provider.model, text_hash__in={bytes(key) for key in hashes.values() if key}
    )
    named = {
        bytes(key): str(told[0]["label"]) if told else ""
        for key, told in answers.order_by("pk").values_list("text_hash", "named")
    }
    judged = [
        named[bytes(key)] == said[item] for item, key in hashes.items() if key is not None and bytes(key) in named
    ]
    return Record(sum(judged), len(judged))


def _standing(kind: Kind, provider: Provider | None, *, at: datetime) -> Standing:
    if provider is None:
        sentence = gettext("Only what the portal knows by itself.")
        return Standing(kind, None, "none", sentence, Spent(), Spent(), Record(), 0)
    today, month = _spent(provider, since=_day(at)), _spent(provider, since=_day(at) - timedelta(days=29))
    state, sentence = (
        "on",
        gettext("%(model)s is asked where the portal is less than %(below)s sure.")
        % {"model": provider.model, "below": percent(provider.below)},
    )
    if not provider.is_enabled:
        state, sentence = "off", gettext("%(model)s is set up and switched off.") % {"model": provider.model}
    elif provider.rests_until is not None and provider.rests_until > at:
        state, sentence = (
            "resting",
            gettext("It rests, since it failed: %(last_error)s") % {"last_error": said(provider.last_error)},
        )
    elif today.requests >= provider.daily_requests or today.tokens >= provider.daily_tokens:
        state, sentence = "resting", gettext("What it may cost a day is spent. It is asked again tomorrow.")
    waiting = Question.objects.waiting().filter(provider=provider)[:10_001].count()
    return Standing(kind, provider, state, sentence, today, month, record_of(provider), waiting)


def _spent(provider: Provider, *, since: date) -> Spent:
    names = ("requests", "tokens", "answers", "failures", "dropped")
    rows = ProviderDay.objects.filter(provider=provider, day__gte=since)
    return Spent(**{name: total or 0 for name, total in rows.aggregate(**{name: Sum(name) for name in names}).items()})


def _address(given: Mapping[str, Any], errors: list[InputError]) -> str:
    found = clean_line(str(given.get("base_url", "")), longest=300).rstrip("/")
    if not found:
        errors.append(InputError("base_url", gettext("Enter the address, as in https://models.example/v1.")))
        return found
    try:
        is_listed = outgoing.require_callable(found)
    except outgoing.AddressRefused as refused:
        errors.append(InputError("base_url", refused.message))
        return found
    if not is_listed and not found.lower().startswith("https://"):
        errors.append(
            InputError("base_url", gettext("Use https, or what people wrote and the key would travel in the open."))
        )
    elif urlsplit(found).query or urlsplit(found).fragment:
        errors.append(
            InputError("base_url", gettext("Enter the address up to /v1 or the like, without a question mark."))
        )
    return found


def _number(given: Mapping[str, Any], name: str, least: int, most: int, errors: list[InputError]) -> int:
    said = str(given.get(name, "")).strip()
    if said.isdecimal() and len(said) < 12 and least <= int(said) <= most:
        return int(said)
    errors.append(
        InputError(
            name,
            gettext("Write a whole number from %(least)s to %(most)s.")
            % {"least": number_format(least, force_grouping=True), "most": number_format(most, force_grouping=True)},
        )
    )
    return least


def _no_less_than_none(over: int) -> Any:
    return Greatest(F("tokens") + over, Value(0))


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _may(by: Actor) -> None:
    if not by.may_set_up:
        raise NotAllowed(gettext("Only administrators may have models outside asked. Ask one of them."))
