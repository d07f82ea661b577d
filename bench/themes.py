"""How good themes are: groups of labelled texts against k-means that knows their number, and surges found in a stream of feedback.

.venv/bin/python bench/themes.py GROUPS.jsonl.gz [--label FIELD]
.venv/bin/python bench/themes.py --surges ITEMS.jsonl.gz LABELS.jsonl.gz EVENTS.json
"""

import argparse
import gzip
import json
import os
import sys
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sklearn.cluster import KMeans
from sklearn.metrics import v_measure_score

from triage import encoder
from triage.alike import clusters, copies
from triage.alike.clusters import FOUNDS, MERGE, MERGE_BY_WORDS, NEAR, NEAR_BY_WORDS
from triage.alike.growth import COOL_DOWN, NEEDS_DAYS, growth
from triage.alike.wording import bag, joined


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("groups", nargs="?", type=Path)
    asked.add_argument("--label", default="label")
    asked.add_argument("--surges", nargs=3, type=Path, metavar=("ITEMS", "LABELS", "EVENTS"))
    asked.add_argument("--most", type=int, default=4_000)
    given = asked.parse_args()
    if given.groups:
        measure_groups(read(given.groups), given.label, most=given.most)
    if given.surges:
        items, labels, events = given.surges
        measure_surges(read(items), read(labels), json.loads(events.read_text()))


def measure_groups(records: list[dict[str, Any]], label: str, *, most: int) -> None:
    """In an order of chance, as people speak; the file may be sorted by label."""
    order = np.random.default_rng(0).permutation(len(records))[:most]
    records = [records[place] for place in order]
    truth = [record[label] for record in records]
    texts = [said(record) for record in records]
    for points, near, merge, name in spaces(texts):
        started = time.perf_counter()
        labels = clusters.merged(points, clusters.lead(points, near=near), near=merge)
        took = time.perf_counter() - started
        large = np.isin(labels, [group for group, count in Counter(labels.tolist()).items() if count >= FOUNDS])
        known = KMeans(len(set(truth)), n_init=1, random_state=0).fit_predict(points)
        print(
            f"{name}: V {v_measure_score(truth, labels):.3f}, of those in themes"
            f" {v_measure_score(np.array(truth)[large], labels[large]):.3f} ({large.mean():.0%}), {len(set(labels.tolist()))} groups"
            f" for {len(set(truth))} labels, {len(texts) / took:,.0f} items/s; k-means with the true number {v_measure_score(truth, known):.3f}"
        )


def measure_surges(items: list[dict[str, Any]], labels: list[dict[str, Any]], events: list[dict[str, Any]]) -> None:
    """Day after day, as the portal would: by the labels' topics, and by groups that know no topic."""
    days = np.array([date.fromisoformat(item["created_at"][:10]).toordinal() for item in items])
    days -= days.min()
    first = near_copies([said(item) for item in items])
    hidden = [label.get("hidden_theme") for label in labels]
    topics = [label["topic"] for label in labels]
    report("gold topics", days, topics, events=events, first=first)
    for points, near, merge, name in spaces([said(item) for item in items]):
        found = clusters.merged(points, clusters.lead(points, near=near), near=merge)
        sizes = Counter(found.tolist())
        groups = [str(group) if sizes[group] >= FOUNDS else None for group in found.tolist()]
        of_event = {}
        for event in events:
            tag = event["tag"]
            wanted = [place for place, told in enumerate(hidden) if (told and f"new/{told}" == tag) or told == tag]
            wanted = wanted or [place for place, topic in enumerate(topics) if topic == tag]
            common = Counter(groups[place] for place in wanted if groups[place]).most_common(1)
            if common:
                of_event[tag] = common[0][0]
        report(f"groups, {name}", days, groups, events=events, first=first, names=of_event)


def report(
    name: str,
    days: np.ndarray,
    groups: list[str | None],
    *,
    events: list[dict[str, Any]],
    first: list[bool],
    names: dict[str, str] | None = None,
) -> None:
    known = sorted({group for group in groups if group})
    place_of = {group: place for place, group in enumerate(known)}
    last = int(days.max()) + 1
    counts, totals = np.zeros((len(known), last)), np.zeros(last)
    for day, group, is_first in zip(days, groups, first, strict=True):
        totals[day] += is_first
        if group and is_first:
            counts[place_of[group], day] += 1
    alarms: list[tuple[int, str]] = []
    quiet_until = dict.fromkeys(known, -1)
    for day in range(NEEDS_DAYS - 1, last):
        seen = slice(day - NEEDS_DAYS + 1, day + 1)
        for group, told in zip(known, growth(counts[:, seen], totals[seen]) or [], strict=True):
            if told.grows and day > quiet_until[group]:
                alarms.append((day, group))
                quiet_until[group] = day + COOL_DOWN
    mine: set[tuple[int, str]] = set()
    for event in events:
        group = (names or {}).get(event["tag"], event["tag"])
        during = [
            one for one in alarms if one[1] == group and event["from_day"] - 1 <= one[0] <= event["to_day"] + COOL_DOWN
        ]
        mine |= set(during)
        delay = f"after {max(0, during[0][0] - int(event['from_day']))} days" if during else "not found"
        print(f"{name}: {event['tag']} ({event['shape']}) {delay}")
    print(f"{name}: {len(set(alarms) - mine)} other alarms in {last - NEEDS_DAYS + 1} days over {len(known)} groups")


def spaces(texts: list[str]) -> list[tuple[np.ndarray, float, float, str]]:
    """Points with the encoder, if it is there, and by words alone."""
    bags = [bag(text) for text in texts]
    found = [(joined([None] * len(texts), bags, size=0), NEAR_BY_WORDS, MERGE_BY_WORDS, "words alone")]
    working = encoder.load(Path(os.environ.get("PORTAL_STATE_DIR", ".state")) / "encoder")
    if working is None:
        print(encoder.missing())
        return found
    vectors = list(working.encode(texts))
    return [(joined(vectors, bags, size=encoder.SIZE), NEAR, MERGE, "words and meaning"), *found]


def near_copies(texts: list[str]) -> list[bool]:
    """Whether each is the first that says it."""
    seen: dict[int, list[int]] = {}
    signed: dict[int, Any] = {}
    first = []
    for place, text in enumerate(texts):
        mine = copies.signature(text)
        bands = copies.bands(mine) if mine is not None else []
        near = {other for band in bands for other in seen.get(band, ())}
        is_first = mine is None or not any(copies.likeness(mine, signed[other]) >= copies.NEAR for other in near)
        first.append(is_first)
        if mine is not None and is_first:
            signed[place] = mine
            for band in bands:
                seen.setdefault(band, []).append(place)
    return first


def said(record: dict[str, Any]) -> str:
    return f"{record.get('subject') or ''}\n{record.get('text') or record.get('body') or ''}"


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


if __name__ == "__main__":
    main()
