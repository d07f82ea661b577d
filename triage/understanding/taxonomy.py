"""The organisation's words as taggers see them: its topics and patterns, read once for many items."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from triage.models import Pattern, Topic
from triage.taggers import base
from triage.taggers.base import Taxonomy
from triage.understanding import embeddings

if TYPE_CHECKING:
    from triage.blend import Blend


def active_topics() -> list[Topic]:
    return list(Topic.objects.filter(is_active=True).select_related("team", "parent").order_by("slug"))


def taxonomy_of(
    topics: Iterable[Topic], patterns: Iterable[Pattern] = (), *, learned: "Mapping[str, Blend] | None" = None
) -> Taxonomy:
    """The organisation's words as taggers see them, and the models in use by field; a topic's team and parent must be loaded."""
    return Taxonomy(
        topics=tuple(
            base.Topic(
                slug=topic.slug,
                name=topic.name,
                description=topic.description,
                keywords=tuple(topic.keywords),
                team=topic.team.slug if topic.team else "",
                parent=topic.parent.slug if topic.parent else "",
            )
            for topic in topics
        ),
        patterns=tuple(map(pattern_of, patterns)),
        learned=learned or {},
    )


def with_meaning(taxonomy: Taxonomy) -> Taxonomy:
    """The same, with what the encoder makes of each saying of it; as it is where there is no encoder."""
    sayings = taxonomy.sayings
    vectors = embeddings.vectors_of(sayings, encode=len(sayings))
    known = {saying: vector for saying, vector in zip(sayings, vectors, strict=True) if vector is not None}
    return replace(taxonomy, vectors=known) if known else taxonomy


def pattern_of(stored: Pattern) -> base.Pattern:
    return base.Pattern(
        name=stored.name,
        kind=stored.kind,
        expression=stored.expression,
        aliases=tuple(stored.aliases),
        product=stored.product,
        version=stored.version,
    )


def digest(taxonomy: Taxonomy) -> str:
    """Changes whenever anything does that a model could know of the topics."""
    told = [
        [topic.slug, topic.name, topic.description, list(topic.keywords), topic.team, topic.parent]
        for topic in taxonomy.topics
    ]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()
