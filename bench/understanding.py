"""How well topics and teams are found: on day one and after so many corrections, with the encoder and without, beside the
targets.

    .venv/bin/python bench/understanding.py FOLDER [--sets airline,cfpb] [--sizes 0,200,1000] [--most 2000] [--vectors FILE]

FOLDER holds a folder a data set, each with dev.jsonl.gz and a taxonomy (`text.md` beside the data says which). Of each file
the rows whose hash falls below 0.3 are measured and never learned from; copies of one text fall together. Rows to learn from
come in an order of their hash, so that they have the natural mix of labels. What is printed is Markdown; each figure is what
`manage.py evaluate` gives on the same rows. `--vectors` keeps what the encoder made of each text between runs.
"""

import argparse
import gzip
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from triage import encoder  # noqa: E402 - the root must be on the path first
from triage.evaluation import Ground, Measured, tasks  # noqa: E402
from triage.evaluation.reading import read_records, read_taxonomy  # noqa: E402

SIZES = (0, 50, 100, 200, 500, 1000, 3000)
TESTED = 0.3


@dataclass(frozen=True)
class DataSet:
    """Where a set lies and what is wanted of it: accuracy by number of corrections as (floor, good), published zero-shot
    accuracy or the like in words."""

    folder: str
    label: str
    taxonomy: str = "taxonomy.json"
    task: str = "topic"
    left_out: tuple[str, ...] = ()
    wanted: Mapping[int, tuple[float, float]] = None  # type: ignore[assignment]
    without_encoder: Mapping[int, tuple[float, float]] = None  # type: ignore[assignment]


SETS = {
    "airline": DataSet(
        "airline_tweets",
        "reason",
        left_out=("cant_tell",),
        wanted={0: (0.60, 0.65), 200: (0.645, 0.68), 1000: (0.66, 0.70), 3000: (0.68, 0.72)},
        without_encoder={0: (0.54, 0.60), 3000: (0.65, 0.68)},
    ),
    "cfpb": DataSet(
        "cfpb",
        "product",
        wanted={0: (0.58, 0.65), 200: (0.74, 0.78), 1000: (0.78, 0.82), 3000: (0.81, 0.84)},
        without_encoder={0: (0.48, 0.56), 3000: (0.81, 0.83)},
    ),
    "clinc": DataSet(
        "clinc150",
        "domain",
        "taxonomy_domain.json",
        wanted={0: (0.77, 0.82), 200: (0.83, 0.87), 1000: (0.92, 0.94), 3000: (0.95, 0.965)},
        without_encoder={0: (0.60, 0.68), 3000: (0.93, 0.95)},
    ),
    "banking": DataSet(
        "banking77",
        "label",
        wanted={0: (0.61, 0.67), 200: (0.64, 0.70), 1000: (0.84, 0.87), 3000: (0.905, 0.925)},
    ),
    "type": DataSet(
        "support_tickets",
        "type",
        "taxonomy_type.json",
        wanted={0: (0.54, 0.60), 200: (0.64, 0.68), 1000: (0.68, 0.72), 3000: (0.73, 0.76)},
        without_encoder={0: (0.45, 0.52), 3000: (0.72, 0.74)},
    ),
    "queue": DataSet("support_tickets", "queue", "taxonomy_queue.json"),
    "stream": DataSet("feedback_stream", "topic", wanted={0: (0.54, 0.60), 1000: (0.63, 0.67), 3000: (0.65, 0.69)}),
    "route": DataSet(
        "feedback_stream", "team", task="route", wanted={0: (0.62, 0.68), 1000: (0.69, 0.73), 3000: (0.70, 0.74)}
    ),
    "intents": DataSet("clinc150", "label"),
}
COLUMNS = (
    "corrections",
    "accuracy",
    "floor / good",
    "macro-F1",
    "ECE",
    "top 3",
    "accuracy at 80 · 60 · 50 %",
    "kept at 90 %",
    "set: accuracy @ share",
    "out of scope: AUROC · caught",
    "training s",
    "items/s",
)


class Remembered:
    """The encoder, which sees each text once."""

    def __init__(self, kept: Path | None) -> None:
        self.kept = kept
        self.working = encoder.load(ROOT / ".state" / "encoder")
        self.vectors: dict[str, NDArray[np.float32]] = {}
        if kept and kept.exists():
            with np.load(kept) as found:
                self.vectors = dict(zip(found["keys"].tolist(), found["vectors"].astype(np.float32), strict=True))

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        assert self.working is not None
        keys = [sha256(text.encode(errors="replace")).hexdigest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self.vectors}
        self.vectors.update(zip(missing, self.working.encode(list(missing.values())), strict=True))
        return np.array([self.vectors[key] for key in keys])

    def keep(self) -> None:
        if self.kept:
            keys = np.array(list(self.vectors))
            np.savez(self.kept, keys=keys, vectors=np.array(list(self.vectors.values())).astype(np.float16))


def main() -> None:
    given = arguments()
    encode = Remembered(given.vectors)
    states = [("with the encoder", encode)] if encode.working else []
    for name in given.sets.split(","):
        chosen = SETS[name]
        tested, taught = split(list(rows_of(given.folder, chosen)), chosen)
        tested = tested[: given.most]
        taxonomy = read_taxonomy(given.folder / chosen.folder / chosen.taxonomy)
        taxonomy = replace(
            taxonomy, topics=tuple(topic for topic in taxonomy.topics if topic.slug not in chosen.left_out)
        )
        sizes = sorted({min(int(size), len(taught)) for size in given.sizes.split(",")})
        for state, working in [*states, ("without it", None)]:
            wanted = (chosen.wanted if working else chosen.without_encoder) or {}
            print(f"\n{name}, {len(taxonomy.topics)} labels, {len(tested):,} rows measured, {state}:\n", flush=True)
            print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS), flush=True)
            for size in sizes:
                ground = Ground(label=chosen.label, train=taught[:size], taxonomy=taxonomy, encode=working)
                measured = tasks.get(chosen.task).measure(tested, ground)
                near = min(wanted, key=lambda known: abs(known - size), default=None)
                target = wanted.get(near) if near is not None and abs(near - size) <= size / 3 else None
                print("| " + " | ".join(cells(size, measured, target)) + " |", flush=True)
        encode.keep()


def cells(size: int, measured: Measured, target: tuple[float, float] | None) -> Iterator[str]:
    assert measured.accuracy is not None
    yield f"{size:,}"
    yield f"**{measured.accuracy:.3f}**"
    yield "{:.3g} / {:.3g}".format(*target) if target else ""
    yield f"{measured.macro_f1:.3f}"
    yield f"{measured.ece:.3f}"
    yield f"{measured.more['in_top_3']:.3f}"
    yield " · ".join(f"{measured.accuracy_at_coverage[share]:.3f}" for share in ("0.8", "0.6", "0.5"))
    yield f"{measured.coverage['0.9']:.0%}"
    yield f"{measured.more['set_accuracy']:.3f} @ {measured.more['set_coverage']:.0%}" if size else ""
    scope = "out_of_scope_auroc" in measured.more
    yield f"{measured.more['out_of_scope_auroc']:.3f} · {measured.more['out_of_scope_caught']:.2f}" if scope else ""
    yield f"{measured.train_seconds:.1f}" if size else ""
    yield f"{measured.items_per_second:,.0f}"


def rows_of(folder: Path, chosen: DataSet) -> Iterator[Mapping[str, Any]]:
    """The rows with a label; of the stream, items and labels together."""
    if chosen.folder == "feedback_stream":
        with gzip.open(folder / chosen.folder / "labels" / "labels.jsonl.gz") as file:
            labels = {each["id"]: each for each in map(json.loads, file)}
        for item in read_records(folder / chosen.folder / "items.jsonl.gz"):
            said = labels[item["id"]]
            if said[chosen.label] is not None:
                yield {**item, "topic": said["topic"], "team": said["team"], "copy_of": said["duplicate_of"]}
        return
    for record in read_records(folder / chosen.folder / "dev.jsonl.gz"):
        if record[chosen.label] is not None and record[chosen.label] not in chosen.left_out:
            yield record


def split(
    records: Sequence[Mapping[str, Any]], chosen: DataSet
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Those that are measured, and those to learn from in an order of their own. What is out of scope is only measured."""

    def place(record: Mapping[str, Any]) -> float:
        key = record.get("copy_of") or record["id"]
        return int(sha256(f"{chosen.folder} {key}".encode()).hexdigest()[:12], 16) / 16**12

    ordered = sorted(records, key=place)
    tested = [record for record in ordered if place(record) < TESTED]
    tested.sort(key=lambda record: sha256(str(record["id"]).encode()).hexdigest())
    return tested, [record for record in ordered if place(record) >= TESTED and record[chosen.label] != "oos"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--most", type=int, default=2000, help="rows measured of each set")
    parser.add_argument("--vectors", type=Path, help="where the vectors are kept between runs (.npz)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
