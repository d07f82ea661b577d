"""How themes form and keep their names: items join the nearest, what is left over founds new ones, and grouping anew changes no
theme that people shaped and no number of one that lives on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Left

from feedback_portal.pending import Drained, drain
from intake.models import FeedbackItem
from triage import encoder
from triage.alike import clusters, naming
from triage.alike.wording import VERSION, Bag, Vector, joined, telling
from triage.models import Refinement, Regrouping, Rule, Theme, ThemeEvent, ThemeMember, Ticket, Wording
from triage.models.learning import mark_for_refinement
from triage.models.themes import ThemeQuerySet
from triage.taggers.base import Text
from triage.understanding import embeddings

POOL: Final = 4_000
"""Items of one topic that are grouped anew together, the latest; older ones stay where they are."""
POOL_DAYS: Final = timedelta(days=120)
MOST_THEMES: Final = 2_000
WAITS: Final = timedelta(seconds=20)

_SAME_GROUP = 0.8
_KEPT_AS = np.dtype("<f2")
_NAMED_BY = 200


def space() -> str:
    """What a centre's numbers mean; those of another space are made anew from the members."""
    return f"{embeddings.fingerprint()[:32]}+{VERSION}"


def join(rows: Sequence[Wording], vectors: Mapping[int, Vector], said: Mapping[int, str], *, at: datetime) -> None:
    """Place items that came in into the nearest theme of their topic (or of none), if one is near enough; a copy goes where the
    first went. What finds no theme waits to found one. Inside the caller's transaction."""
    placed = set(ThemeMember.objects.filter(item__in=[row.item_id for row in rows]).values_list("item", flat=True))
    rows = [row for row in rows if row.item_id not in placed]
    if not rows:
        return
    firsts = {row.copy_of_id for row in rows if row.copy_of_id}
    themes_of = dict(ThemeMember.objects.filter(item__in=firsts, theme__isnull=False).values_list("item", "theme"))
    points = points_of(rows, vectors)
    new: dict[int, ThemeMember] = {}
    loose: set[int | None] = set()
    by_topic: dict[int | None, list[int]] = {}
    for place, row in enumerate(rows):
        by_topic.setdefault(row.topic_id, []).append(place)
    themes = _by_topic(by_topic)
    for topic, places in by_topic.items():
        centres = themes.get(topic, [])
        matrix = np.stack([centre for _, centre, _ in centres]) if centres else None
        for place in places:
            row = rows[place]
            if row.copy_of_id and (theme := themes_of.get(row.copy_of_id) or _theme(new, row.copy_of_id)):
                new[row.item_id] = ThemeMember(item_id=row.item_id, theme_id=theme, reason="A copy of one in it.")
                continue
            if matrix is not None:
                cosines = matrix @ points.rows[place]
                best = int(np.argmax(cosines))
                if cosines[best] >= points.near[place]:
                    theme, _, words = centres[best]
                    new[row.item_id] = _member(row.item_id, theme, float(cosines[best]), said[row.item_id], words)
                    continue
            loose.add(topic)
    ThemeMember.objects.bulk_create(new.values(), ignore_conflicts=True)
    try_rules_later(new)
    refresh({member.theme_id for member in new.values() if member.theme_id}, centres_too=True)
    group_later(loose)


def group_later(topics: Iterable[int | None]) -> None:
    """Leave word that something in these topics is in no theme yet; a few seconds later, so that a batch is grouped at once."""
    wanted = sorted(set(topics), key=lambda topic: topic or 0)
    if wanted:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO triage_regrouping (topic_id, next_attempt_at)"
                " SELECT topic, statement_timestamp() + make_interval(secs => %s) FROM unnest(%s::bigint[]) AS topic ON CONFLICT DO NOTHING",
                [WAITS.total_seconds(), wanted],
            )


def group_pending(*, at: datetime) -> Drained:
    """Found themes where enough loose items say the same."""
    rows = Regrouping.objects.all()
    return drain(rows, lambda batch: _group_all([row.topic_id for row in batch], at=at), batch=20)


def _group_all(topics: Sequence[int | None], *, at: datetime) -> None:
    for topic in topics:
        group(topic, at=at)


def regroup_everything(*, at: datetime) -> int:
    """Every topic grouped anew, as each night; how many topics there were."""
    topics = list(Wording.objects.order_by("topic").values_list("topic", flat=True).distinct())
    for topic in topics:
        regroup(topic, at=at)
    return len(topics)


def group(topic: int | None, *, at: datetime) -> None:
    """Place what is loose in a topic: around the themes that are there, or into new ones. Nobody who is placed moves."""
    _hold(topic)
    rows = list(_pool(topic, at=at).filter(~_placed())[:POOL])
    _place(topic, rows, _anchors(topic), {}, at=at)


def regroup(topic: int | None, *, at: datetime) -> None:
    """Group a topic's latest items from the beginning, around what people shaped. Whom a person placed stays, and so does
    everybody in a frozen theme; a group that continues a known theme keeps its number and name. The same items give the same
    themes and members, however often it is done."""
    _hold(topic)
    _retopic(topic, at=at)
    fixed = ThemeMember.objects.filter(item=OuterRef("item")).exclude(source="machine", theme__is_frozen=False)
    rows = list(_pool(topic, at=at).filter(~Exists(fixed))[:POOL])
    pool = {row.item_id for row in rows}
    shaped = {theme: centre for theme, centre in _anchors(topic) if _is_shaped(theme)}
    moving: dict[int, set[int]] = {}
    living = Theme.objects.living().filter(topic=topic, is_shaped=False, is_frozen=False)
    for item, theme in ThemeMember.objects.filter(theme__in=living, item__in=pool).values_list("item", "theme"):
        moving.setdefault(theme, set()).add(item)
    known = {
        theme.pk: (frozenset(moving.get(theme.pk, ())), _read(theme)) for theme in living.order_by("pk")[:MOST_THEMES]
    }
    _place(topic, rows, list(shaped.items()), known, at=at)


def _place(
    topic: int | None,
    rows: Sequence[Wording],
    anchors: Sequence[tuple[Theme, Vector]],
    known: Mapping[int, tuple[frozenset[int], Vector]],
    *,
    at: datetime,
) -> None:
    rows = sorted(rows, key=lambda row: row.item_id)
    points = points_of(rows)
    fixed = np.stack([centre for _, centre in anchors]) if anchors else None
    groups = (
        clusters.grouped(points.rows, near=points.near, merge=points.merge, least=clusters.FOUNDS, anchors=fixed)
        if rows
        else []
    )
    around = [(anchors[label][0], places) for label, places in groups if label >= 0]
    fresh = [places for label, places in groups if label < 0]
    members = [frozenset(rows[place].item_id for place in places) for places in fresh]
    middles = [clusters.centre(points.rows[places]) for places in fresh]
    continued = clusters.matched(members, middles, known, near=_SAME_GROUP)
    wanted: dict[int, tuple[int, float]] = {}
    for theme, places in around:
        for place in places:
            wanted[rows[place].item_id] = (theme.joined_into_id or theme.pk, _cosine(points.rows[place], _read(theme)))
    for number, places in enumerate(fresh):
        theme_key = continued.get(number) or _found(topic, [rows[place].item_id for place in places], at=at)
        for place in places:
            wanted[rows[place].item_id] = (theme_key, _cosine(points.rows[place], middles[number]))
    _write_places({row.item_id for row in rows}, wanted)
    touched = {theme for theme, _ in wanted.values()} | set(known)
    refresh(touched, centres_too=True)
    _name_anew(touched)
    _retire(known, at=at)


def _write_places(pool: set[int], wanted: Mapping[int, tuple[int, float]]) -> None:
    """Bring the members in line with what is wanted, touching only rows that change and none that a person wrote."""
    now = dict(ThemeMember.objects.filter(item__in=pool, source="machine").values_list("item", "theme"))
    gone = [item for item in now if item not in wanted]
    ThemeMember.objects.filter(item__in=gone, source="machine").delete()
    moved = [item for item, (theme, _) in wanted.items() if item in now and now[item] != theme]
    ThemeMember.objects.filter(item__in=moved, source="machine").delete()
    placed = [item for item in wanted if item not in now or item in moved]
    ThemeMember.objects.bulk_create(
        [
            ThemeMember(item_id=item, theme_id=wanted[item][0], score=wanted[item][1], reason="It says the same.")
            for item in placed
        ],
        ignore_conflicts=True,
    )
    try_rules_later(placed)
    refresh({theme for item in (*gone, *moved) if (theme := now[item])})


def try_rules_later(items: Iterable[int]) -> None:
    """Leave word, inside the caller's transaction, that rules which name a theme are to be tried on these, which joined one: on what
    nobody has decided about, for the others stay as people want them."""
    chosen = list(items)
    if chosen and Rule.objects.in_order().asking("theme").exists():
        undecided = Ticket.objects.filter(item__in=chosen, status="new", triaged_at=None)
        mark_for_refinement(
            undecided.order_by("item").values_list("item", flat=True).distinct(), why=Refinement.Why.THEME
        )


def leave(items: Sequence[int]) -> None:
    """These items leave their themes, inside the caller's transaction."""
    themes = set(ThemeMember.objects.filter(item__in=items, theme__isnull=False).values_list("theme", flat=True))
    ThemeMember.objects.filter(item__in=items).delete()
    refresh({theme for theme in themes if theme})


def refresh(themes: Iterable[int], *, centres_too: bool = False) -> None:
    """Count these themes' members again, and with `centres_too` draw the centres of those that no person shaped."""
    keys = sorted(set(themes))
    if not keys:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE triage_theme AS theme SET size = counted.size, customers = counted.customers,"
            " first_at = counted.first_at, last_at = counted.last_at FROM ("
            " SELECT asked.id, count(item.submission_id) AS size, count(DISTINCT item.customer_id) AS customers,"
            " min(item.received_at) AS first_at, max(item.received_at) AS last_at FROM unnest(%s::bigint[]) AS asked(id)"
            " LEFT JOIN triage_thememember AS member ON member.theme_id = asked.id"
            " LEFT JOIN intake_feedbackitem AS item ON item.submission_id = member.item_id GROUP BY asked.id"
            ") AS counted WHERE theme.id = counted.id",
            [keys],
        )
    if centres_too:
        draw(Theme.objects.filter(pk__in=keys, is_shaped=False, is_frozen=False))


def draw(themes: ThemeQuerySet) -> None:
    """The centre of each theme, from its latest members."""
    found = list(themes)
    if not found:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT asked.id, latest.item_id FROM unnest(%s::bigint[]) AS asked(id) CROSS JOIN LATERAL ("
            " SELECT item_id FROM triage_thememember WHERE theme_id = asked.id ORDER BY item_id DESC LIMIT %s) AS latest",
            [[theme.pk for theme in found], clusters.LATEST],
        )
        pairs = cursor.fetchall()
    rows = list(Wording.objects.filter(item__in=[item for _, item in pairs]).only("item", "bag").order_by("item"))
    points = points_of(rows)
    place_of = {row.item_id: place for place, row in enumerate(rows)}
    of_theme: dict[int, list[int]] = {}
    for theme, item in pairs:
        if item in place_of:
            of_theme.setdefault(theme, []).append(place_of[item])
    for theme in found:
        places = sorted(of_theme.get(theme.pk, ()))
        if places:
            theme.centre, theme.space = kept(clusters.centre(points.rows[places])), space()
    Theme.objects.bulk_update(found, ["centre", "space"])


@dataclass(frozen=True)
class Points:
    """A row of length 1 for each item, and how near things must be for it: less where only words speak."""

    rows: Vector
    near: Vector
    merge: Vector


def points_of(rows: Sequence[Wording], vectors: Mapping[int, Vector] | None = None) -> Points:
    """Where items lie; their vectors are read where they are not given."""
    if vectors is None:
        keys, matrix = embeddings.matrix_of([row.item_id for row in rows])
        vectors = dict(zip(map(int, keys), matrix.astype(np.float32), strict=True))
    size = encoder.SIZE if embeddings.fingerprint() else 0
    encoded = [vectors.get(row.item_id) if size else None for row in rows]
    has_meaning = np.array([one is not None for one in encoded], dtype=bool)
    return Points(
        rows=joined(encoded, [Bag.unpacked(row.bag) for row in rows], size=size),
        near=np.where(has_meaning, clusters.NEAR, clusters.NEAR_BY_WORDS).astype(np.float32),
        merge=np.where(has_meaning, clusters.MERGE, clusters.MERGE_BY_WORDS).astype(np.float32),
    )


def kept(centre: Vector) -> bytes:
    return centre.astype(_KEPT_AS).tobytes()


def _read(theme: Theme) -> Vector:
    return np.frombuffer(theme.centre, dtype=_KEPT_AS).astype(np.float32)


def _cosine(one: Vector, other: Vector) -> float:
    return float(np.clip(one @ other, 0, 1)) if len(one) == len(other) else 0.0


def _hold(topic: int | None) -> None:
    """One grouping of a topic at a time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(7040002, %s)", [(topic or 0) % 2**31])


def _pool(topic: int | None, *, at: datetime) -> QuerySet[Wording]:
    rows = Wording.objects.filter(topic=topic, item__received_at__gt=at - POOL_DAYS).exclude(bag=b"")
    return rows.only("item", "bag", "topic").order_by("-item")


def _placed() -> Exists:
    return Exists(ThemeMember.objects.filter(item=OuterRef("item")))


def _is_shaped(theme: Theme) -> bool:
    return theme.is_shaped or theme.is_frozen or theme.joined_into_id is not None


def _anchors(topic: int | None) -> list[tuple[Theme, Vector]]:
    """The themes of a topic and those joined into them, which still draw what is said in their way."""
    _draw_foreign()
    rows = Theme.objects.filter(topic=topic, retired_at=None, space=space()).exclude(centre=b"")
    return [(theme, _read(theme)) for theme in rows.order_by("pk")[:MOST_THEMES]]


def _by_topic(topics: Iterable[int | None]) -> dict[int | None, list[tuple[int, Vector, list[str]]]]:
    """Number (of the theme it was joined into, if it was), centre and words of every theme of these topics."""
    _draw_foreign()
    wanted = list(topics)
    rows = Theme.objects.filter(retired_at=None, space=space()).exclude(centre=b"")
    known = rows.filter(topic__in=[topic for topic in wanted if topic])
    if None in wanted:
        known = known | rows.filter(topic=None)
    found: dict[int | None, list[tuple[int, Vector, list[str]]]] = {}
    for theme in known.order_by("-last_at", "-pk")[: 4 * MOST_THEMES]:
        found.setdefault(theme.topic_id, []).append((theme.joined_into_id or theme.pk, _read(theme), theme.words))
    return found


def _draw_foreign() -> None:
    """Centres that another encoder (or none) made are drawn anew; once, after a change."""
    draw(Theme.objects.filter(retired_at=None).exclude(space=space())[:MOST_THEMES])


def _theme(new: Mapping[int, ThemeMember], item: int) -> int | None:
    return new[item].theme_id if item in new else None


def _member(item: int, theme: int, score: float, said: str, words: Sequence[str]) -> ThemeMember:
    theirs = {word for word in telling(said) if word}
    shared = [word for word in words if theirs & set(telling(word))][:3]
    told = ", ".join(f"“{word}”" for word in shared)
    reason = f"It says the same, as in {told}." if shared else "It says the same in other words."
    return ThemeMember(item_id=item, theme_id=theme, score=min(1.0, max(0.0, score)), reason=reason[:200])


def _found(topic: int | None, items: Sequence[int], *, at: datetime) -> int:
    theme = Theme.objects.create(name="New", topic_id=topic, state=Theme.State.NEW, state_at=at)
    ThemeEvent.objects.create(theme=theme, type=ThemeEvent.Type.FOUND, data={"items": len(items)}, occurred_at=at)
    return theme.pk


def _name_anew(themes: Iterable[int]) -> None:
    """Words of these themes against what else was said lately, and a proposed name for those no person named."""
    wanted = {theme.pk: theme for theme in Theme.objects.filter(pk__in=list(themes))}
    if not wanted:
        return
    latest = FeedbackItem.objects.order_by("-pk").values_list("theme_member__theme", "title", Left("text", 4_000))[
        :1_000
    ]
    others = [(theme, _text((title, text))) for theme, title, text in latest]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT asked.id, item.title, left(item.text, 4000) FROM unnest(%s::bigint[]) AS asked(id) CROSS JOIN LATERAL ("
            " SELECT item_id FROM triage_thememember WHERE theme_id = asked.id ORDER BY item_id DESC LIMIT %s) AS latest"
            " JOIN intake_feedbackitem AS item ON item.submission_id = latest.item_id",
            [sorted(wanted), _NAMED_BY],
        )
        said: dict[int, list[str]] = {}
        for theme, title, text in cursor.fetchall():
            said.setdefault(theme, []).append(_text((title, text)))
    for key, theme in wanted.items():
        elsewhere = [text for other, text in others if other != key]
        theme.words = [word[:80] for word in naming.distinguishing(said.get(key, []), elsewhere)] or theme.words
        if not theme.is_named:
            theme.name = naming.name_of(theme.words)[:160] or "Alike"
    Theme.objects.bulk_update(wanted.values(), ["words", "name"])


def _text(row: tuple[str, str]) -> str:
    return Text(item_id=0, title=row[0], text=row[1][:4_000]).whole


def _retire(known: Iterable[int], *, at: datetime) -> None:
    """Themes that nobody is in any more and no person named, described or linked are given up; their numbers are not used again."""
    empty = Theme.objects.living().filter(pk__in=list(known), size=0, is_named=False, description="", version=1)
    gone = list(empty)
    Theme.objects.filter(pk__in=[theme.pk for theme in gone]).update(retired_at=at)
    ThemeEvent.objects.bulk_create(
        ThemeEvent(theme=theme, type=ThemeEvent.Type.RETIRED, occurred_at=at) for theme in gone
    )


def _retopic(topic: int | None, *, at: datetime) -> None:
    """Items whose surest topic has changed since are grouped where they belong now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE triage_wording AS w SET topic_id = surest.topic_id FROM ("
            " SELECT w.item_id, (SELECT t.topic_id FROM triage_tagging AS t WHERE t.item_id = w.item_id AND t.removed_at IS NULL"
            "  AND t.confidence >= 0.5 ORDER BY t.confidence DESC, t.id LIMIT 1) AS topic_id"
            " FROM triage_wording AS w JOIN intake_feedbackitem AS item ON item.submission_id = w.item_id"
            " WHERE w.topic_id IS NOT DISTINCT FROM %s AND item.received_at > %s"
            ") AS surest WHERE w.item_id = surest.item_id AND w.topic_id IS DISTINCT FROM surest.topic_id"
            " RETURNING w.topic_id",
            [topic, at - POOL_DAYS],
        )
        group_later({row[0] for row in cursor.fetchall()})
