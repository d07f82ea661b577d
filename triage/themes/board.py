"""The public board: themes in our own words with how they stand, and the word of others that it is the same for them.

Nobody types how a theme stands: it is read from its decisions and actions, so the board cannot say what the portal does not know. A
me-too is a row of its own and no feedback item, since it has no words: as an item it would need a ticket and would move every KPI
that counts what customers said.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import models, transaction
from django.db.models import Count, Exists, F, OuterRef, Q
from django.utils.translation import gettext, gettext_lazy

from feedback_portal.accounts.permissions import Actor
from feedback_portal.api import after, cursor_of
from feedback_portal.refusals import BadInput, InputError, NotAllowed, NotFound
from intake.cleaning import clean_line, clean_text
from triage import themes
from triage.improving import changes
from triage.models import Action, Board, BoardPost, MeToo, Theme, ThemeAction, ThemeDecision, ThemeEvent

PAGE: Final = 50
"""So many posts are read at once."""
LONGEST_TEXT: Final = 2_000
_ORDER = ("-published_at", "-id")


class Standing(models.TextChoices):
    CONSIDERED = "considered", gettext_lazy("We consider it")
    PLANNED = "planned", gettext_lazy("We work on it")
    CHANGED = "changed", gettext_lazy("Changed")
    WORKED = "worked", gettext_lazy("Changed, and it helped")
    DECLINED = "declined", gettext_lazy("We will not change it")


@dataclass(frozen=True)
class Post:
    """A post as everybody reads it. `customers` and `me_toos` are 0 where there are too few to be shown; `detail` says more of how it
    stands: the numbers before and after, or the reason; `change` is its entry among the changes, or 0."""

    number: int
    title: str
    text: str
    published_at: datetime
    standing: Standing
    detail: str
    change: int
    customers: int
    me_toos: int
    is_mine: bool

    @property
    def takes_me_too(self) -> bool:
        return self.standing in {Standing.CONSIDERED, Standing.PLANNED}


def board() -> Board:
    return Board.objects.filter(only=True).first() or Board()


def set_up(*, by: Actor, at: datetime, is_open: bool, intro: str) -> None:
    if not by.may_set_up:
        raise NotAllowed(gettext("Only administrators may set the portal up. Ask one of them."))
    clean = clean_text(intro, longest=LONGEST_TEXT)
    Board.objects.update_or_create(
        only=True, defaults={"is_open": is_open, "intro": clean, "person": by.user, "changed_at": at}
    )


def publish(reference: str, *, by: Actor, at: datetime, title: str, text: str = "", version: int = 0) -> BoardPost:
    """Put a theme on the board, or change its words there. `version` is that of the post one saw, 0 for none yet."""
    theme = themes.find(reference, by=by)
    clean = clean_line(title, longest=160)
    if not clean:
        message = gettext("Give it a headline that customers understand.")
        raise BadInput(message, errors=(InputError("title", message),))
    words = {"title": clean, "text": clean_text(text, longest=LONGEST_TEXT)}
    with transaction.atomic():
        post = BoardPost.objects.select_for_update().filter(theme=theme).first()
        if (post.version if post else 0) != version:
            raise themes.StaleTheme(
                gettext("Somebody changed what stands on the board while you wrote. Look at it again.")
            )
        if post is None:
            post = BoardPost.objects.create(theme=theme, published_at=at, **words)
        else:
            shown = {**words, "published_at": post.published_at or at}
            BoardPost.objects.filter(pk=post.pk).update(version=F("version") + 1, **shown)
            post.refresh_from_db()
        _tell(theme, ThemeEvent.Type.POSTED, {"title": clean}, by=by, at=at)
    return post


def take_down(reference: str, *, by: Actor, at: datetime) -> None:
    """Off the board; its words and its me-toos are kept for the day it returns."""
    theme = themes.find(reference, by=by)
    with transaction.atomic():
        rows = BoardPost.objects.filter(theme=theme, published_at__isnull=False)
        if not rows.update(published_at=None, version=F("version") + 1):
            raise themes.NotThisTheme(gettext("It does not stand on the board."))
        _tell(theme, ThemeEvent.Type.UNPOSTED, {}, by=by, at=at)


def post_of(theme: Theme) -> BoardPost | None:
    return BoardPost.objects.filter(theme=theme).first()


def published(*, voter: str = "", cursor: str = "") -> tuple[list[Post], str]:
    """A page of them, newest first, and the cursor of the next one, empty after the last; of themes that were joined, one post
    stands for all. Raises what `after` raises at a cursor that is not ours."""
    last = OuterRef("theme__joined_into")
    sooner = Q(theme=last) | Q(theme__joined_into=last, pk__lt=OuterRef("pk"))
    standing = _public().filter(Q(theme__joined_into=None) | ~Exists(_public().filter(sooner)))
    rows = list(after(standing, order=_ORDER, cursor=cursor).order_by(*_ORDER)[: PAGE + 1])
    following = cursor_of(rows[PAGE - 1], order=_ORDER) if len(rows) > PAGE else ""
    return _posts(rows[:PAGE], voter=voter), following


def find(number: int, *, voter: str = "") -> tuple[Post | None, int]:
    """The post of this number, and that of the one that stands for it since their themes were joined."""
    row = _public().filter(pk=number).first()
    if row is None:
        raise NotFound(gettext("There is no such entry on the board, or it was taken down."))
    rows = list(_public().filter(Q(theme=_last(row)) | Q(theme__joined_into=_last(row))))
    stands = _stands_for(row, rows)
    return (None, stands) if stands != row.pk else (_posts([row], voter=voter)[0], stands)


def say_me_too(number: int, *, voter: str, at: datetime, takes_back: bool = False) -> int:
    """Once for each browser, however often it is said; the number of the post it counts for."""
    _, stands = find(number)
    post, _ = find(stands)
    assert post is not None, "what stands for a post stands for itself"
    if takes_back:
        MeToo.objects.filter(post=stands, voter=_hashed(voter)).delete()
    elif not post.takes_me_too:
        raise themes.NotThisTheme(gettext("This is decided already. If it still happens to you, tell us so in a form."))
    else:
        MeToo.objects.bulk_create([MeToo(post_id=stands, voter=_hashed(voter), said_at=at)], ignore_conflicts=True)
    return stands


def _public() -> "models.QuerySet[BoardPost]":
    return BoardPost.objects.filter(published_at__isnull=False).select_related("theme", "theme__joined_into")


def _last(row: BoardPost) -> int:
    """The theme its theme is in now."""
    return row.theme.joined_into_id or row.theme_id


def _stands_for(row: BoardPost, rows: Iterable[BoardPost]) -> int:
    """The post of the theme all were joined into, else the oldest of theirs."""
    same = [other for other in rows if _last(other) == _last(row)]
    return min(same, key=lambda other: (other.theme_id != _last(row), other.pk)).pk


def _posts(rows: Sequence[BoardPost], *, voter: str) -> list[Post]:
    lasts = [_last(row) for row in rows]
    decisions = ThemeDecision.objects.filter(theme__in=lasts).order_by("theme", "-pk").distinct("theme")
    decided = {decision.theme_id: decision for decision in decisions}
    actions = defaultdict(list)
    links = ThemeAction.objects.filter(theme__in=lasts, unlinked_at=None, action__withdrawn_at=None)
    for link in links.select_related("action__finding").order_by("action"):
        actions[link.theme_id].append(link.action)
    voices = _me_toos(lasts)
    mine = _mine(lasts, voter)
    posts = []
    for row in rows:
        last = _last(row)
        theme = row.theme.joined_into or row.theme
        standing, detail, change = _stands(decided.get(last), actions[last])
        assert row.published_at is not None, "only published ones are read"
        posts.append(
            Post(
                number=row.pk,
                title=row.title,
                text=row.text,
                published_at=row.published_at,
                standing=standing,
                detail=detail,
                change=change,
                customers=_shown(theme.customers),
                me_toos=_shown(voices.get(last, 0)),
                is_mine=last in mine,
            )
        )
    return posts


def _stands(decision: ThemeDecision | None, actions: Sequence[Action]) -> tuple[Standing, str, int]:
    under_way = [action for action in actions if action.step in {Action.Step.PLAN, Action.Step.DO}]
    if under_way:
        is_back = any(action.reopened_at for action in under_way)
        return Standing.PLANNED, gettext("It came back since. We work on it again.") if is_back else "", 0
    shipped = [action for action in actions if action.shipped_at is not None]
    last = max((action.shipped_at for action in shipped if action.shipped_at), default=None)
    if (
        decision is not None
        and decision.choice == ThemeDecision.Choice.DECLINE
        and (last is None or decision.decided_at > last)
    ):
        return Standing.DECLINED, decision.reason, 0
    for action in shipped:
        if action.verdict == Action.Outcome.WORKED:
            return Standing.WORKED, changes.numbers(action), action.pk if action.published_at else 0
    if shipped:
        return Standing.CHANGED, gettext("We changed something, and cannot say yet that it helped."), 0
    return Standing.CONSIDERED, "", 0


def _me_toos(lasts: Sequence[int]) -> dict[int, int]:
    """Browsers by theme; one that said it of two posts whose themes were joined counts once."""
    last = models.functions.Coalesce("post__theme__joined_into", "post__theme")
    rows = MeToo.objects.annotate(last=last).filter(last__in=lasts).order_by()
    return dict(rows.values_list("last").annotate(count=Count("voter", distinct=True)))


def _mine(lasts: Sequence[int], voter: str) -> set[int]:
    if not voter:
        return set()
    said = MeToo.objects.filter(voter=_hashed(voter))
    said = said.filter(Q(post__theme__in=lasts) | Q(post__theme__joined_into__in=lasts)).select_related("post__theme")
    return {_last(row.post) for row in said}


def _shown(count: int) -> int:
    return count if count >= changes.FEWEST_SHOWN else 0


def _hashed(voter: str) -> str:
    return hashlib.sha256(f"board:{voter}".encode()).hexdigest()


def _tell(theme: Theme, kind: str, data: dict[str, str], *, by: Actor, at: datetime) -> None:
    ThemeEvent.objects.create(theme=theme, type=kind, person=by.user, key=by.key, data=data, occurred_at=at)
