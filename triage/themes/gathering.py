"""Comparing what came in with what is there, batch by batch: near copies, likely duplicates, and the theme it joins."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
from django.db.models import Q

from feedback_portal.pending import Drained, drain
from intake.models import Arrival, FeedbackItem
from triage.alike import copies, likely
from triage.alike.wording import Bag, Vector, bag, shown
from triage.models import Analysis, Gathering, LikelyDuplicate, Mention, NotTheSame, Tagging, Wording
from triage.taggers.base import Text
from triage.themes import grouping
from triage.understanding import embeddings
from triage.words import fold

BATCH: Final = 200
WINDOW: Final = 5_000
"""Likely duplicates in other words are sought among so many of the latest items; near copies among all."""
MOST_COPIES_MET: Final = 5_000
_SHARED_WORDS = 4
# The encoder reads English; what it makes of other languages says little.
_ENCODED_LANGUAGES = frozenset({"en", "und"})
# A topic the tagger is less sure of than this does not say where to look for a theme.
_SURE_ENOUGH = 0.5
# What two items may share besides words, from what came with them.
_FACTS = ("batch", "order", "lot", "serial")


def gather_later(items: Iterable[FeedbackItem]) -> None:
    """Leave word, inside the caller's transaction, that these are to be compared (anew)."""
    Gathering.objects.bulk_create(
        [Gathering(item=item) for item in items],
        update_conflicts=True,
        unique_fields=["item"],
        update_fields=["attempts", "next_attempt_at", "lease_token", "completed_at", "parked_at", "last_error"],
    )


def gather_pending(*, at: datetime) -> Drained:
    """Work off every item that is still to be compared."""
    rows = Gathering.objects.select_related("item__customer").defer("item__submission")
    return drain(
        rows,
        lambda batch: gather([row.item for row in batch], at=at),
        batch=BATCH,
        gives_way=Arrival.objects.due().exists,  # new items are placed before they are compared
    )


def gather(items: Sequence[FeedbackItem], *, at: datetime) -> None:
    """Set-based, inside the caller's transaction: the same number of statements for one item and for two hundred. Customers must be
    loaded. What was erased meanwhile says nothing and is passed over."""
    said = {item.pk: Text(item_id=item.pk, title=item.title, text=item.text).whole for item in items}
    items = sorted((item for item in items if said[item.pk].strip()), key=lambda item: item.pk)
    if not items:
        return
    vectors = _vectors(items, said)
    topics = surest_topics([item.pk for item in items])
    rows = [
        Wording(
            item=item,
            bag=bag(said[item.pk]).packed(),
            heading=bag(item.title).packed(),
            topic_id=topics.get(item.pk),
        )
        for item in items
    ]
    found = _near_copies(rows, said)
    Wording.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["item"],
        update_fields=["minhash", "bands", "copy_of", "bag", "heading", "topic"],
    )
    suggested = _likely(rows, vectors, found)
    _suggest(items, said, suggested)
    grouping.join(rows, vectors, said, at=at)


def surest_topics(items: Sequence[int]) -> dict[int, int]:
    """The topic under which an item's theme is sought: the surest that stands."""
    standing = Tagging.objects.standing().filter(item__in=items, confidence__gte=_SURE_ENOUGH)
    rows = standing.order_by("item", "-confidence", "pk").distinct("item").values_list("item", "topic")
    return dict(rows)


def _vectors(items: Sequence[FeedbackItem], said: Mapping[int, str]) -> dict[int, Vector]:
    languages = dict(Analysis.objects.filter(item__in=[item.pk for item in items]).values_list("item", "language"))
    readable = [item.pk for item in items if languages.get(item.pk, "und") in _ENCODED_LANGUAGES]
    made = embeddings.vectors_of([said[key] for key in readable], encode=len(readable))
    return {key: vector for key, vector in zip(readable, made, strict=True) if vector is not None}


def _near_copies(rows: Sequence[Wording], said: Mapping[int, str]) -> dict[int, tuple[int, float]]:
    """Fill signatures and bands, and say of which earlier item each row is a near copy, and how near."""
    signed = {row.item_id: made for row in rows if (made := copies.signature(said[row.item_id])) is not None}
    wanted = {item: copies.bands(made) for item, made in signed.items()}
    meets: dict[int, list[int]] = {}
    known: dict[int, copies.Signature] = {}
    every = sorted({band for bands in wanted.values() for band in bands})
    if every:
        first = Wording.objects.filter(copy_of=None, bands__overlap=every).exclude(item__in=wanted)
        for item, minhash, bands in first.values_list("item", "minhash", "bands")[:MOST_COPIES_MET]:
            known[item] = copies.unpacked(minhash)
            for band in bands:
                meets.setdefault(band, []).append(item)
    found: dict[int, tuple[int, float]] = {}
    for row in rows:
        mine = signed.get(row.item_id)
        if mine is None:
            continue
        row.minhash, row.bands = copies.packed(mine), wanted[row.item_id]
        near = {other for band in row.bands for other in meets.get(band, ()) if other < row.item_id}
        best = max(((copies.likeness(mine, known[other]), -other) for other in near), default=(0.0, 0))
        if best[0] >= copies.NEAR:
            row.copy_of_id = -best[1]
            found[row.item_id] = (-best[1], best[0])
            continue
        known[row.item_id] = mine
        for band in row.bands:
            meets.setdefault(band, []).append(row.item_id)
    return found


def _likely(
    rows: Sequence[Wording], vectors: Mapping[int, Vector], copied: Mapping[int, tuple[int, float]]
) -> list[LikelyDuplicate]:
    """Suggestions for each row, its near copy first, then the likeliest of the latest items."""
    mine = {row.item_id: row for row in rows}
    latest = Wording.objects.filter(copy_of=None).exclude(item__in=mine).order_by("-item")
    window = [*latest.only("item", "bag", "heading")[:WINDOW], *rows]
    window.sort(key=lambda row: row.item_id)
    place_of = {row.item_id: place for place, row in enumerate(window)}
    asked = [place_of[row.item_id] for row in rows if len(row.bag)]
    keys, matrix = embeddings.matrix_of([row.item_id for row in window if row.item_id not in mine])
    known: dict[int, Vector] = dict(zip(map(int, keys), matrix.astype(np.float32), strict=True)) | dict(vectors)
    nearest = likely.nearest(
        asked,
        [Bag.unpacked(row.bag) for row in window],
        [Bag.unpacked(row.heading) for row in window],
        [known.get(row.item_id) for row in window],
        most=4 * likely.MOST,
    )
    products = _products(
        {window[place].item_id for place in asked}
        | {window[each.other].item_id for others in nearest for each in others}
    )
    found: dict[int, list[LikelyDuplicate]] = {}
    for item, (first, score) in copied.items():
        kind = LikelyDuplicate.Kind.COPY
        found[item] = [LikelyDuplicate(item_id=item, other_id=first, kind=kind, score=score)]
    for place, others in zip(asked, nearest, strict=True):
        item = window[place].item_id
        for each in others:
            other = window[each.other]
            # A pair is suggested by the later of the two; a copy's first speaker stands for all of them.
            unlike = products[item] and products[other.item_id] and products[item].isdisjoint(products[other.item_id])
            if unlike or other.item_id == copied.get(item, (0,))[0]:
                continue
            if other.item_id < item and other.copy_of_id is None:
                kind = LikelyDuplicate.Kind.ALIKE
                found.setdefault(item, []).append(
                    LikelyDuplicate(item_id=item, other_id=other.item_id, kind=kind, score=max(0.0, each.score))
                )
    return [row for suggested in found.values() for row in suggested[: likely.MOST]]


def _products(items: Iterable[int]) -> Mapping[int, frozenset[str]]:
    """The products each of these items is about: the one it came with, and where there is none those that it names."""
    given = dict(FeedbackItem.objects.filter(pk__in=list(items)).values_list("pk", "product"))
    found = {item: {fold(product)} if product else set() for item, product in given.items()}
    bare = [item for item, product in given.items() if not product]
    for item, key in Mention.objects.filter(item__in=bare, kind="product").values_list("item", "key"):
        found[item].add(fold(key))
    return {item: frozenset(some) for item, some in found.items()}


def _suggest(items: Sequence[FeedbackItem], said: Mapping[int, str], suggested: list[LikelyDuplicate]) -> None:
    """Write the suggestions with what a person can check each by; what people told apart is not suggested again."""
    ours = {item.pk: item for item in items}
    LikelyDuplicate.objects.filter(item__in=ours).delete()
    if not suggested:
        return
    apart = NotTheSame.objects.filter(Q(first__in=ours) | Q(second__in=ours))
    never = set(apart.values_list("first", "second"))
    suggested = [row for row in suggested if (row.other_id, row.item_id) not in never]
    others = FeedbackItem.objects.select_related("customer").in_bulk({row.other_id for row in suggested})
    for row in suggested:
        row.reason = _reason(ours[row.item_id], others[row.other_id], said[row.item_id])
    LikelyDuplicate.objects.bulk_create(suggested, ignore_conflicts=True)


def _reason(item: FeedbackItem, other: FeedbackItem, said: str) -> dict[str, Any]:
    theirs = Text(item_id=other.pk, title=other.title, text=other.text).whole
    mine, yours = shown(said), shown(theirs)
    # Long words tell more than short ones, and need no count of all words to be found.
    words = sorted((mine[stem] for stem in mine.keys() & yours.keys()), key=lambda word: (-len(word), word))
    same = [
        name
        for name, one, two in (
            ("customer", item.customer_id, other.customer_id),
            ("account", item.customer and item.customer.account_id, other.customer and other.customer.account_id),
            ("product", item.product, other.product),
            *((fact, item.context.get(fact), other.context.get(fact)) for fact in _FACTS),
        )
        if one and one == two
    ]
    apart = abs((item.received_at - other.received_at).total_seconds())
    return {
        "words": words[:_SHARED_WORDS],
        "same": same,
        "apart": int(apart),
        "identical": copies.plain(said) == copies.plain(theirs),
    }


def forget(items: Iterable[int]) -> None:
    """Nothing is compared with these any more, inside the caller's transaction: their words, what was found alike, their themes. Of
    copies of one of them, the earliest becomes the first."""
    keys = list(items)
    heirs: dict[int, int] = {}
    left = Wording.objects.filter(copy_of__in=keys).exclude(item__in=keys).order_by("item")
    for item, first in left.values_list("item", "copy_of"):
        heirs.setdefault(first, item)
    for first, heir in heirs.items():
        Wording.objects.filter(copy_of=first).exclude(item__in=keys).update(copy_of=heir)
    Wording.objects.filter(item__in=heirs.values()).update(copy_of=None)
    Wording.objects.filter(item__in=keys).delete()
    LikelyDuplicate.objects.filter(Q(item__in=keys) | Q(other__in=keys)).delete()
    Gathering.objects.filter(item__in=keys).delete()
    grouping.leave(keys)
