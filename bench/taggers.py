"""What each tagger costs, beside cutting the same texts at their spaces and looking each piece up.

    .venv/bin/python bench/taggers.py [ITEMS.jsonl.gz] [--taxonomy TAXONOMY.json] [--most 5000]

Needs no running portal. Without a file the texts are made up (`kpis.synthetic.vocabulary`). Prints CPU microseconds an item, second
pass, so that what is learned of words once is not counted; what several taggers share stands on lines of its own.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from triage.evaluation.base import text_of  # noqa: E402 - the root must be on the path first
from triage.evaluation.reading import read_records, read_taxonomy  # noqa: E402
from triage.taggers import Taxonomy, Text, taggers  # noqa: E402
from triage.taggers.language import detect  # noqa: E402

AT_ONCE = 100


def main() -> None:
    given = arguments()
    made = (
        [(text.title, text.text) for text in map(text_of, read_records(given.items))] if given.items else made_up(2000)
    )[: given.most]
    taxonomy = read_taxonomy(given.taxonomy) if given.taxonomy else Taxonomy()
    stages: list[tuple[str, Callable[[Sequence[Text]], object]]] = [
        ("spaces, looked up", at_spaces),
        ("cut into words", lambda texts: [text.words.folded for text in texts]),
        ("stems", lambda texts: [text.stems for text in texts]),
        ("language found", lambda texts: [detect(text) for text in texts]),
        *((tagger.slug, lambda texts, tagger=tagger: tagger.tag(texts, taxonomy)) for tagger in taggers.all()),
    ]
    for _ in range(2):
        spent = dict.fromkeys((name for name, _ in stages), 0.0)
        for at in range(0, len(made), AT_ONCE):
            texts = [Text(at, title, text) for title, text in made[at : at + AT_ONCE]]
            for name, work in stages:
                began = time.process_time()
                work(texts)
                spent[name] += time.process_time() - began
    beside = spent.pop("spaces, looked up")
    letters = sum(len(text) for _, text in made) / len(made)
    print(f"{len(made):,} texts of {letters:.0f} characters, {len(taxonomy.topics)} topics")
    print(f"{'at spaces, for comparison':26}{beside / len(made) * 1e6:8.1f} us")
    for name, seconds in spent.items():
        print(f"{name:26}{seconds / len(made) * 1e6:8.1f} us{seconds / beside:8.1f} times")
    every = sum(spent.values())
    print(
        f"{'together':26}{every / len(made) * 1e6:8.1f} us{every / beside:8.1f} times: {len(made) / every:,.0f} items/s"
    )


def at_spaces(texts: Sequence[Text]) -> list[int]:
    return [sum(map(KNOWN.__contains__, text.whole.split())) for text in texts]


KNOWN = frozenset(("the", "a", "of", "to", "and", "is", "not", "my", "in", "it"))


def made_up(number: int) -> list[tuple[str, str]]:
    from kpis.synthetic.vocabulary import Vocabulary

    chance, words = Random("taggers"), Vocabulary("1")
    return [("", words.text(chance, words=20 + chance.randrange(80))) for _ in range(number)]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("items", type=Path, nargs="?")
    parser.add_argument("--taxonomy", type=Path)
    parser.add_argument("--most", type=int, default=5_000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
