"""How quickly sentences become points on one core, and what a process weighs for it.

    .venv/bin/python bench/encoder.py [ITEMS.jsonl.gz]

The file holds one object a line with subject and body; without it, only short texts of our own are measured. It needs no
running portal. Beside it the same matrix product in numpy, so that two machines can be compared.
"""

import gzip
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from triage import encoder

_SHORT = (
    "The {} arrived {}",
    "I want my money back for the {}, it was {}",
    "The {} is {} since yesterday",
    "{} {}, thanks!",
)
_THINGS = ("kettle", "parcel", "invoice", "filter", "app", "hotline", "lid", "manual", "grinder", "refund")
_HOW = ("broken", "late", "leaking", "wrong", "too loud", "much better", "missing", "slow", "torn open", "as promised")


def main() -> None:
    if reason := encoder.missing():
        sys.exit(reason)
    found: dict[str, object] = {"rss_before_mb": rss()}
    with tempfile.TemporaryDirectory() as folder:
        found["first_load_s"] = seconds(lambda: encoder.load(Path(folder)))
        found["next_load_s"] = seconds(lambda: encoder.load(Path(folder)))
        loaded = encoder.load(Path(folder))
    assert loaded
    found["rss_loaded_mb"] = rss()
    short = [form.format(thing, how) for form in _SHORT for thing in _THINGS for how in _HOW]
    found["short_texts_per_cpu_second"] = round(len(short) / seconds(lambda: loaded.encode(short)))
    if sys.argv[1:]:
        with gzip.open(sys.argv[1], "rt") as lines:
            items = [json.loads(line) for line in lines]
        texts = [f"{item.get('subject') or ''}\n{item['body']}" for item in random.Random(7).sample(items, 500)]
        found["mixed_items_per_cpu_second"] = round(len(texts) / seconds(lambda: loaded.encode(texts)))
        found["mean_characters"] = round(sum(map(len, texts)) / len(texts))
    longest = ["late and broken " * 300] * 20
    found["longest_texts_per_cpu_second"] = round(len(longest) / seconds(lambda: loaded.encode(longest)))
    found["rss_after_mb"] = rss()
    matrix = np.ones((1024, 1024), np.float32)
    found["numpy_1024_products_per_cpu_second"] = round(20 / seconds(lambda: [matrix @ matrix for _ in range(20)]))
    print(json.dumps(found, indent=1))


def seconds(work: Callable[[], object]) -> float:
    """Of this process alone, so that neighbours count little."""
    began = time.process_time()
    work()
    return round(time.process_time() - began, 3)


def rss() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") // 1_000_000


if __name__ == "__main__":
    main()
