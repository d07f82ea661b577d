"""What models outside said of texts, read for whole batches; and whom they are still to be asked about."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from intake.models import FeedbackItem
from triage.models import Provider, ProviderAnswer, Question
from triage.taggers.base import Suggestion, Taxonomy, Text, Told
from triage.taggers.outside import KINDS, prompt_of
from triage.understanding import embeddings


@dataclass(frozen=True)
class Asked:
    """A provider that is asked, as taggers' texts are read by what it said: one version of one prompt of one model."""

    provider: int
    tagger: str
    model: str
    server: str
    prompt: str
    below: float


def asked_of(taxonomy: Taxonomy) -> tuple[Asked, ...]:
    """The providers that are switched on and can be asked as the taxonomy stands; one small query."""
    found = []
    for provider in Provider.objects.enabled().filter(tagger__in=KINDS).order_by("tagger"):
        prompt = prompt_of(provider.tagger, taxonomy)
        if prompt is not None:
            found.append(
                Asked(
                    provider.pk,
                    provider.tagger,
                    provider.model,
                    urlsplit(provider.base_url).netloc,
                    prompt.version,
                    provider.below,
                )
            )
    return tuple(found)


def with_answers(texts: Sequence[Text], asked: Sequence[Asked]) -> list[Text]:
    """The texts with what is known of them by these providers; one query, and none where nobody is asked."""
    if not asked or not texts:
        return list(texts)
    hashes = [embeddings.text_hash(text.whole) for text in texts]
    rows = ProviderAnswer.objects.filter(
        text_hash__in={key for key in hashes if key},
        tagger__in={each.tagger for each in asked},
        prompt__in={each.prompt for each in asked},
    )
    by_version = {(each.tagger, each.model, each.prompt): each for each in asked}
    known: dict[bytes, dict[str, Told]] = {}
    for row in rows:
        each = by_version.get((row.tagger, row.model, row.prompt))
        if each is not None:
            named = tuple((str(one["label"]), tuple(map(str, one["quotes"]))) for one in row.named)
            told = Told(named, row.confidence, each.model, each.server, each.prompt)
            known.setdefault(bytes(row.text_hash), {})[row.tagger] = told
    return [replace(text, told=known.get(key or b"", {})) for text, key in zip(texts, hashes, strict=True)]


def worth_asking(text: Text, suggestions: Iterable[Suggestion], asked: Sequence[Asked]) -> tuple[int, ...]:
    """The providers to be asked about a text: those that said nothing of it yet, where the portal itself is less sure than they
    are to be asked below."""
    if not asked or not text.words.folded:
        return ()
    surest: dict[str, float] = {}
    for one in suggestions:
        surest[one.kind] = max(surest.get(one.kind, 0.0), one.confidence)
    return tuple(
        each.provider
        for each in asked
        if each.tagger not in text.told and surest.get(KINDS[each.tagger].suggests, 0.0) < each.below
    )


def ask_later(wanted: Iterable[tuple[FeedbackItem, Iterable[int]]]) -> None:
    """Leave word, inside the caller's transaction, which providers are to be asked about which items."""
    rows = [Question(item=item, provider_id=provider) for item, providers in wanted for provider in providers]
    if rows:
        Question.objects.bulk_create(rows, ignore_conflicts=True)
