"""Asking models outside about what waits to be asked, one text a request, with no transaction open meanwhile.

Whatever goes wrong leaves what the portal itself said standing: a question that fails three times is let go, a provider that
keeps failing rests, and one whose budget is spent is asked again the next day. Questions older than two days are let go too.
An answer marks its item to be looked at again, which changes only what no person has touched.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from urllib.parse import urlsplit

from django.db.models.functions import Now
from django.utils.translation import gettext

from feedback_portal import outgoing
from feedback_portal.pending import Drained, drain_outside
from feedback_portal.refusals import BadInput
from feedback_portal.sealing import Unsealable
from intake import polling
from triage.asking import providers
from triage.models import Analysis, Provider, ProviderAnswer, Question
from triage.models.learning import Refinement, mark_for_refinement
from triage.models.providers import LONGEST_SECONDS
from triage.taggers import outside as questions
from triage.taggers.base import Taxonomy, Text
from triage.taggers.outside import Prompt, Read, Unusable
from triage.understanding import embeddings
from triage.understanding.reading import text_of
from triage.understanding.taxonomy import active_topics, taxonomy_of

TRIES: Final = 3
KEPT: Final = timedelta(days=2)
MOST_BYTES: Final = 256 * 1024
_BATCH = 4
_LEASE = timedelta(seconds=_BATCH * (LONGEST_SECONDS + 15))
_PAUSE = timedelta(minutes=1)


class _Asker(Protocol):
    def __call__(
        self, request: outgoing.Request, *, most_bytes: int, seconds: float, silent_seconds: float
    ) -> outgoing.Answer: ...


@dataclass(frozen=True)
class _Request:
    url: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"


@dataclass(frozen=True)
class _Outcome:
    """What came of one question: an answer that is new or was there, a trouble, or that nobody is asked until a moment. All of it
    empty: there is nothing to ask any more."""

    provider: Provider | None = None
    key: bytes = b""
    prompt: str = ""
    confidence: float = 0.0
    cost: int = 0
    read: Read | None = None
    is_known: bool = False
    trouble: str = ""
    is_final: bool = False
    """The same would be answered again, so it is not asked again."""
    rest: timedelta | None = None
    until: datetime | None = None


def ask_pending(*, at: datetime, ask: _Asker = outgoing.ask) -> Drained:
    """Ask about every item that is due."""
    rows = Question.objects.select_related("item__customer", "item__submission").defer(
        "item__submission__payload", "item__submission__conflicting_payload", "item__submission__headers"
    )
    desk = _Desk(at=at, ask=ask)
    return drain_outside(rows, desk.act, desk.record, batch=_BATCH, lease=_LEASE, seconds=30)


class _Desk:
    """What one drain reads once: the taxonomy, the prompts and the providers' records."""

    def __init__(self, *, at: datetime, ask: _Asker) -> None:
        self._at, self._ask = at, ask
        self._taxonomy: Taxonomy | None = None
        self._prompts: dict[str, Prompt | None] = {}
        self._confidence: dict[int, float] = {}

    def act(self, question: Question) -> _Outcome:
        # Read anew each time: it may have been switched off, or begun to rest, meanwhile.
        provider = Provider.objects.filter(pk=question.provider_id).first()
        is_gone = question.item.submission.gone_at is not None or question.asked_at < self._at - KEPT
        if provider is None or not provider.is_enabled or is_gone:
            return _Outcome()
        if provider.rests_until is not None and provider.rests_until > self._at:
            return _Outcome(provider, until=provider.rests_until)
        text = text_of(question.item)
        key, prompt = embeddings.text_hash(text.whole), self._prompt(provider.tagger)
        if key is None or prompt is None:
            return _Outcome()
        answers = ProviderAnswer.objects.filter(tagger=provider.tagger, model=provider.model, prompt=prompt.version)
        if answers.filter(text_hash=key).exists():
            return _Outcome(provider, is_known=True)
        return self._asked(question, provider, prompt, text, key)

    def record(self, question: Question, outcome: _Outcome) -> None:
        provider, mine = outcome.provider, Question.objects.filter(pk=question.pk)
        if provider is None:
            mine.delete()
            return
        until = outcome.until
        if outcome.trouble:
            until = providers.count_failure(provider, outcome.trouble, at=self._at, rest=outcome.rest)
        if outcome.read is not None:
            over = outcome.read.tokens - outcome.cost
            providers.count_answer(provider, over=over, dropped=outcome.read.dropped, at=self._at)
        # Words that were erased or changed meanwhile are forgotten with whatever was said of them.
        if outcome.key and Analysis.objects.filter(item=question.item_id, text_hash=outcome.key).exists():
            named = outcome.read.named if outcome.read is not None else ()
            row = ProviderAnswer(
                tagger=provider.tagger,
                text_hash=outcome.key,
                model=provider.model,
                prompt=outcome.prompt,
                named=[{"label": label, "quotes": list(quotes)} for label, quotes in named],
                confidence=outcome.confidence,
            )
            ProviderAnswer.objects.bulk_create([row], ignore_conflicts=True)
        if outcome.is_known or (outcome.read is not None and outcome.read.named):
            mark_for_refinement([question.item_id], why=Refinement.Why.ASKED)
        tried = bool(outcome.trouble) and outcome.rest is None and question.attempts >= TRIES
        if outcome.is_known or outcome.read is not None or outcome.is_final or tried:
            mine.delete()
        else:
            again = {"completed_at": None} | ({"attempts": 0} if until is not None else {})
            mine.update(**again, next_attempt_at=Now() + _PAUSE * 2 ** (question.attempts - 1))
        if until is not None:
            waiting = Question.objects.waiting().filter(provider=provider)
            waiting.filter(asked_at__lt=self._at - KEPT).delete()
            # All at once, or each would be taken up only to be put down again.
            waiting.filter(next_attempt_at__lt=until).update(next_attempt_at=until)

    def _asked(self, question: Question, provider: Provider, prompt: Prompt, text: Text, key: bytes) -> _Outcome:
        item = question.item
        names = [item.author, item.customer.name if item.customer else ""]
        given = questions.sent(text, names=[name for name in names if name])
        asked = questions.body(prompt, given, model=provider.model)
        cost = questions.estimated(asked)
        try:
            headers = _headers(provider)
        except Unsealable:
            trouble = gettext("Its key cannot be read any more. Enter it again.")
            return _Outcome(provider, trouble=trouble, rest=providers.LONGEST_REST)
        if not providers.spend(provider, cost, at=self._at):
            return _Outcome(provider, until=providers.tomorrow(self._at))
        seconds = float(provider.seconds)
        request = _Request(f"{provider.base_url}/chat/completions", headers, asked)
        try:
            answer = self._ask(request, most_bytes=MOST_BYTES, seconds=seconds, silent_seconds=seconds)
        except (outgoing.Unreachable, outgoing.TooMuch) as trouble:
            return _Outcome(provider, trouble=trouble.message)
        except (outgoing.AddressRefused, BadInput) as refused:
            return _Outcome(provider, trouble=refused.message, rest=providers.LONGEST_REST)
        if answer.status != 200:
            return self._refused(provider, answer)
        version, confidence = prompt.version, self._sure(provider)
        try:
            read = questions.read(answer.body, prompt, given, cost=cost)
        except Unusable as none:
            return _Outcome(provider, key, version, confidence, cost, trouble=str(none), is_final=True)
        return _Outcome(provider, key, version, confidence, cost, read)

    def _refused(self, provider: Provider, answer: outgoing.Answer) -> _Outcome:
        host = urlsplit(provider.base_url).netloc
        if answer.status == 429:
            pause = polling.come_back_in(answer.headers, self._at) or _PAUSE
            return _Outcome(
                provider, trouble=gettext("%(host)s says that we ask too often.") % {"host": host}, rest=pause
            )
        if answer.status in (401, 403):
            trouble = gettext("%(host)s refuses our key (status %(status)s). Enter a new one.") % {
                "host": host,
                "status": answer.status,
            }
            return _Outcome(provider, trouble=trouble, rest=providers.LONGEST_REST)
        return _Outcome(
            provider,
            trouble=gettext("%(host)s did not answer as it should (status %(status)s).")
            % {"host": host, "status": answer.status},
        )

    def _prompt(self, tagger: str) -> Prompt | None:
        if tagger not in self._prompts:
            if self._taxonomy is None:
                self._taxonomy = taxonomy_of(active_topics())
            self._prompts[tagger] = questions.prompt_of(tagger, self._taxonomy) if tagger in questions.KINDS else None
        return self._prompts[tagger]

    def _sure(self, provider: Provider) -> float:
        if provider.pk not in self._confidence:
            self._confidence[provider.pk] = providers.record_of(provider).confidence
        return self._confidence[provider.pk]


def _headers(provider: Provider) -> dict[str, str]:
    key = provider.key
    return {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
