"""Labelled data and taxonomies from files, with a bound on everything and every refusal a sentence."""

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, cast

from triage.evaluation.base import Record, Unmeasurable
from triage.taggers.base import Taxonomy, Topic

MOST_ROWS: Final = 500_000
LONGEST_LINE: Final = 1_000_000
"""Bytes of one line, after unpacking; nothing longer is ever held."""
MOST_BYTES: Final = 2_000_000_000
MOST_TOPICS: Final = 2_000
LARGEST_TAXONOMY: Final = 5_000_000
_LONGEST_NAME, _LONGEST_DESCRIPTION, _MOST_KEYWORDS = 200, 4_000, 500


def read_records(path: Path, *, most: int | None = None) -> list[Record]:
    """The objects of a JSONL file, plain or .gz, the first `most` of them."""
    try:
        with _opened(path) as file:
            return list(islice(_records(file, path.name), most))
    except FileNotFoundError:
        raise Unmeasurable(f"There is no file {path}. Check the path.") from None
    except (OSError, EOFError, zlib.error) as error:
        raise Unmeasurable(f"{path.name} cannot be read: {error}.") from None


def read_taxonomy(path: Path) -> Taxonomy:
    """The topics of a JSON list of objects with `id` (or `slug`), `name`, and if known `description`, `keywords`, `team`,
    `parent`."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_TAXONOMY + 1)
    except FileNotFoundError:
        raise Unmeasurable(f"There is no file {path}. Check the path.") from None
    except OSError as error:
        raise Unmeasurable(f"{path.name} cannot be read: {error}.") from None
    if len(content) > LARGEST_TAXONOMY:
        raise Unmeasurable(f"{path.name} is larger than {LARGEST_TAXONOMY:,} bytes; a taxonomy is not.")
    try:
        listed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Unmeasurable(f"{path.name} is not JSON: {error}.") from None
    if not isinstance(listed, list) or not listed:
        raise Unmeasurable(f"{path.name} must hold a list of topics, each with an id and a name.")
    if len(listed) > MOST_TOPICS:
        raise Unmeasurable(f"{path.name} has {len(listed):,} topics; at most {MOST_TOPICS:,} are read.")
    topics = tuple(_topic(one, number, path.name) for number, one in enumerate(listed, start=1))
    try:
        return Taxonomy(topics)
    except ValueError as error:
        raise Unmeasurable(f"{path.name} cannot be used: {error}") from None


def taxonomy_of_labels(labels: Sequence[str]) -> Taxonomy:
    """A taxonomy of names alone, where labels are all that is known of the topics."""
    return Taxonomy(tuple(Topic(slug=label, name=_spoken(label)) for label in sorted(set(labels) - {""})))


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _records(file: IO[bytes], name: str) -> Iterator[Record]:
    read = 0
    for number in range(1, MOST_ROWS + 2):
        line = file.readline(LONGEST_LINE + 1)
        if not line:
            return
        read += len(line)
        if number > MOST_ROWS or read > MOST_BYTES:
            raise Unmeasurable(f"{name} is too large; give at most {MOST_ROWS:,} rows, or use --limit.")
        if len(line) > LONGEST_LINE:
            raise Unmeasurable(
                f"Line {number} of {name} is longer than {LONGEST_LINE:,} bytes. Is it one object a line?"
            )
        if line.isspace():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Unmeasurable(f"Line {number} of {name} is not JSON: {error}.") from None
        if not isinstance(record, dict):
            raise Unmeasurable(f"Line {number} of {name} is not an object with fields.")
        yield record


def _topic(one: Any, number: int, name: str) -> Topic:
    if not isinstance(one, dict):
        raise Unmeasurable(f"Topic {number} of {name} is not an object with an id and a name.")
    slug = one.get("id") or one.get("slug")
    if not isinstance(slug, str):
        raise Unmeasurable(f'Topic {number} of {name} has no "id".')
    keywords = one.get("keywords") or ()
    if not isinstance(keywords, list | tuple):
        raise Unmeasurable(f'The "keywords" of topic {number} of {name} are no list.')
    return Topic(
        slug=slug[:_LONGEST_NAME],
        name=str(one.get("name") or _spoken(slug))[:_LONGEST_NAME],
        description=str(one.get("description") or "")[:_LONGEST_DESCRIPTION],
        keywords=tuple(str(keyword)[:_LONGEST_NAME] for keyword in keywords[:_MOST_KEYWORDS]),
        team=str(one.get("team") or "")[:_LONGEST_NAME],
        parent=str(one.get("parent") or "")[:_LONGEST_NAME],
    )


def _spoken(label: str) -> str:
    return re.sub(r"[_/\-]+", " ", label).strip() or label
