"""Groups of items that say the same, found in the order in which they came, so that the same items make the same groups."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from triage.alike.wording import Vector, unit

LATEST: Final = 50
"""A group's centre is the mean of so many members, the latest, so that it follows how people put it."""
LOOSE: Final = -1
FOUNDS: Final = 8
"""So many items that say the same make a theme."""
# Cosines that hold items together and that make two groups one, with the encoder and by words alone. Chosen on intents of bank
# customers against k-means that knows their number (see docs/understanding.md).
NEAR: Final = 0.55
MERGE: Final = 0.75
NEAR_BY_WORDS: Final = 0.4
MERGE_BY_WORDS: Final = 0.6

Labels: TypeAlias = NDArray[np.int64]
Nearness: TypeAlias = float | NDArray[np.float32]
"""A cosine, the same for all or one a row: rows that only words speak for are less alike than those with meaning."""


def centre(vectors: Vector) -> Vector:
    """The mean of the latest members, of length 1."""
    middle: Vector = unit(vectors[-LATEST:].mean(axis=0, keepdims=True, dtype=np.float32))[0]
    return middle


def lead(vectors: Vector, *, near: Nearness, anchors: Vector | None = None) -> Labels:
    """Each vector joins the group whose centre is nearest, if its cosine is at least `near`, else it begins one. `anchors` are
    centres that stand fixed: they are the groups 0 to n - 1, and what joins them does not move them."""
    fixed = 0 if anchors is None else len(anchors)
    enough = np.broadcast_to(np.asarray(near, dtype=np.float32), (len(vectors),))
    size = vectors.shape[1]
    centres = np.zeros((max(256, 2 * fixed), size), dtype=np.float32)
    if anchors is not None and fixed:
        centres[:fixed] = anchors
    sums: list[Vector] = []
    members: list[deque[int]] = []
    count = fixed
    labels = np.full(len(vectors), LOOSE, dtype=np.int64)
    for place, vector in enumerate(vectors):
        if not vector.any():
            continue
        found = int(np.argmax(similar)) if count and (similar := centres[:count] @ vector).size else LOOSE
        if found == LOOSE or similar[found] < enough[place]:
            found = count
            if count == len(centres):
                centres = np.concatenate([centres, np.zeros_like(centres)])
            centres[count] = vector
            sums.append(vector.astype(np.float32).copy())
            members.append(deque([place]))
            count += 1
        elif found >= fixed:
            mine, total = members[found - fixed], sums[found - fixed]
            mine.append(place)
            total += vector
            if len(mine) > LATEST:
                total -= vectors[mine.popleft()]
            centres[found] = total / np.linalg.norm(total)
        labels[place] = found
    return labels


def merged(vectors: Vector, labels: Labels, *, near: Nearness, fixed: int = 0, anchors: Vector | None = None) -> Labels:
    """The same groups, where each joins the larger one whose centre is nearest, if its cosine is at least `near`; the groups below
    `fixed` are anchors, which join none and count as larger than all."""
    groups = [int(one) for one in np.unique(labels) if one >= fixed]
    enough = np.broadcast_to(np.asarray(near, dtype=np.float32), (len(vectors),))
    sizes = {group: int((labels == group).sum()) for group in groups}
    centres = {group: centre(vectors[labels == group]) for group in groups}
    order = sorted(groups, key=lambda group: (-sizes[group], group))
    into: dict[int, int] = {}
    standing = list(range(fixed))
    rows = [] if anchors is None else list(anchors)
    for group in order:
        if rows:
            similar = np.stack(rows) @ centres[group]
            best = int(np.argmax(similar))
            if similar[best] >= enough[labels == group].mean():
                into[group] = standing[best]
                continue
        standing.append(group)
        rows.append(centres[group])
    return np.array([into.get(int(label), int(label)) for label in labels], dtype=np.int64)


def grouped(
    vectors: Vector, *, near: Nearness, merge: Nearness, least: int, anchors: Vector | None = None
) -> list[tuple[int, list[int]]]:
    """Groups as (anchor's place or -1, places of members in order), anchors first; a group of fewer than `least` is left loose,
    except around an anchor."""
    fixed = 0 if anchors is None else len(anchors)
    labels = lead(vectors, near=near, anchors=anchors)
    labels = merged(vectors, labels, near=merge, fixed=fixed, anchors=anchors)
    found: dict[int, list[int]] = {}
    for place, label in enumerate(labels):
        if label != LOOSE:
            found.setdefault(int(label), []).append(place)
    around = [(label, found[label]) for label in sorted(found) if label < fixed]
    return around + [(-1, found[label]) for label in sorted(found) if label >= fixed and len(found[label]) >= least]


def matched(
    groups: Sequence[frozenset[int]],
    centres: Sequence[Vector],
    known: Mapping[int, tuple[frozenset[int], Vector]],
    *,
    near: float,
) -> dict[int, int]:
    """Which known group each found one continues, one each: most members in common first, then the nearest centre (cosine at
    least `near`), then the older number."""
    pairs = []
    for place, (group, middle) in enumerate(zip(groups, centres, strict=True)):
        for number, (before, old) in known.items():
            shared = len(group & before)
            cosine = float(middle @ old) if len(old) == len(middle) else 0.0
            if shared or cosine >= near:
                pairs.append((-shared, -cosine, number, place))
    taken: dict[int, int] = {}
    for _, _, number, place in sorted(pairs):
        if place not in taken and number not in taken.values():
            taken[place] = number
    return taken
