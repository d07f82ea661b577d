"""Which items say the same: near copies found by their signatures, and linked items among the likeliest suggestions.

A record has an `id`, and names in its label the earlier item it repeats (or a list of them); records that name none are the others
among which it must be found. Whatever is linked, directly or through others, says the same.
"""

from collections.abc import Mapping, Sequence
from time import perf_counter

import numpy as np

from triage.alike import copies, likely
from triage.alike.wording import Vector, bag
from triage.evaluation.base import Ground, Measured, Record, Task, Unmeasurable, tasks, text_of
from triage.taggers.base import Text

PLACES = (1, 5, 10)


@tasks.register
class Duplicates(Task):
    slug = "duplicates"
    label = "duplicate_of"

    def measure(self, records: Sequence[Record], ground: Ground) -> Measured:
        same = _linked(records, ground.label)
        if not same:
            raise Unmeasurable(
                f'No row names another in the field "{ground.label}" by its id. Name the field that does with --label.'
            )
        texts = [text_of(record, number) for number, record in enumerate(records)]
        started = perf_counter()
        copied = _copies([text.whole for text in texts])
        vectors: list[Vector | None] = [None] * len(texts)
        if ground.encode:
            vectors = list(ground.encode([text.whole for text in texts]))
        found = _nearest(sorted(same), texts, vectors)
        took = perf_counter() - started
        right = {item for item, first in copied.items() if first in same.get(item, ())}
        # The first of a group repeats nobody.
        repeats = {item for item, others in same.items() if min(others) < item}
        recalls = {
            place: float(np.mean([bool(same[item] & set(others[:place])) for item, others in found.items()]))
            for place in PLACES
        }
        return Measured(
            n=len(same),
            accuracy=recalls[1],
            items_per_second=len(texts) / took,
            model="words and meaning" if ground.encode else "words",
            more={
                "copies_recall": len(right & repeats) / len(repeats),
                "copies_precision": len(right) / len(copied) if copied else 1.0,
                **{f"recall_at_{place}": recall for place, recall in recalls.items()},
            },
        )


def _linked(records: Sequence[Record], label: str) -> dict[int, set[int]]:
    """For each place that says the same as others, those others."""
    place_of = {str(record["id"]): place for place, record in enumerate(records) if record.get("id") is not None}
    group = list(range(len(records)))

    def first(place: int) -> int:
        while group[place] != place:
            group[place] = group[group[place]]
            place = group[place]
        return place

    for place, record in enumerate(records):
        named = record.get(label)
        for one in named if isinstance(named, list) else [named]:
            other = place_of.get(str(one)) if one is not None else None
            if other is not None and other != place:
                group[max(first(place), first(other))] = min(first(place), first(other))
    members: dict[int, set[int]] = {}
    for place in range(len(records)):
        members.setdefault(first(place), set()).add(place)
    return {place: all_of - {place} for all_of in members.values() if len(all_of) > 1 for place in all_of}


def _copies(texts: Sequence[str]) -> dict[int, int]:
    """Each near copy and the first that said it, taken in one after the other as the portal does."""
    meets: dict[int, list[int]] = {}
    signed: dict[int, copies.Signature] = {}
    found: dict[int, int] = {}
    for place, text in enumerate(texts):
        mine = copies.signature(text)
        if mine is None:
            continue
        bands = copies.bands(mine)
        near = {other for band in bands for other in meets.get(band, ())}
        score, first = max(((copies.likeness(mine, signed[other]), -other) for other in near), default=(0.0, 0))
        if score >= copies.NEAR:
            found[place] = -first
            continue
        signed[place] = mine
        for band in bands:
            meets.setdefault(band, []).append(place)
    return found


def _nearest(asked: Sequence[int], texts: Sequence[Text], vectors: Sequence[Vector | None]) -> Mapping[int, list[int]]:
    bags, headings = [bag(text.whole) for text in texts], [bag(text.title) for text in texts]
    found: dict[int, list[int]] = {}
    for start in range(0, len(asked), 200):
        some = asked[start : start + 200]
        for item, others in zip(
            some, likely.nearest(some, bags, headings, vectors, most=max(PLACES), least=-1), strict=True
        ):
            found[item] = [each.other for each in others]
    return found
