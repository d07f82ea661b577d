"""What Halden makes of themes: gathered as the portal gathers them, named, answered by a decision, and put on the public board."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Final

from django.db.models.functions import Now

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import Actor
from intake.models import FeedbackItem
from kpis.demo.improving import Improving, Plan
from kpis.demo.organisation import MINA, PRIYA
from kpis.demo.story import Said
from triage import themes
from triage.models import Gathering, Regrouping, Theme, Topic
from triage.themes import answering, board, gathering, grouping, life, ranking, week

SINCE: Final = 6.0
"""So many weeks ago Halden began to decide theme by theme."""
_BATCH: Final = 200


@dataclass(frozen=True)
class Stance:
    """What is thought of what people say of `words`, which are named as their topic: since so many weeks, by whom, the choice
    and what it is told, and what stands on the board about it, with so many others to whom it is the same. `action` is the title
    of the change that answers it; `fit` and `effort` go from 1 to 5."""

    words: str
    name: str
    by: str
    choice: str
    since: float = SINCE - 0.3
    action: str = ""
    decided: Mapping[str, Any] = field(default_factory=dict)
    post: tuple[str, str] | None = None
    me_toos: int = 0
    fit: int = 3
    effort: int = 3


STANCES: Final[Sequence[Stance]] = (
    Stance(
        "app-pairing", "The app loses the machine", "daniel@halden.example", "act",
        action="Pairing that tries again by itself (app 4.2)",
        post=("The app loses my machine", "You open the app and have to pair again, most of all in the morning."),
        fit=4, effort=2,
    ),
    Stance(
        "delivery-damage", "Dented or soaked on arrival", "jonas@halden.example", "act",
        action="Stronger carton with corner pads",
        post=("Machines arrive with a dent", "The carton was soft or crushed, and the machine had a dent in the same place."),
        fit=4, effort=3,
    ),
    Stance(
        "grinder", "The grinder wakes the house", "wei@halden.example", "act",
        action="Quieter burr set from a second supplier",
        post=("The grinder is loud", "It wakes people behind a closed door."),
        fit=3, effort=4,
    ),
    Stance(
        "descale-reminder", "Tell me when to descale", "daniel@halden.example", "act",
        action="Descaling reminder by litres in the app",
        post=("A reminder when it is time to descale", "The machine counts its litres. The app could tell a week before."),
        me_toos=34, fit=5, effort=2,
    ),
    Stance(
        "spare-parts", "Parts for the H2 are sold out", "wei@halden.example", "decline",
        decided={
            "reason": "The tool for the drip tray of the H2 is scrapped, and a new one would cost more than all trays we would"
            " sell. The tray of the H4 fits with an adapter, which we send to everybody who asks.",
        },
        post=("A new drip tray for the H2", "It has been sold out since spring."),
        fit=1, effort=5,
    ),
    Stance(
        "seal-leak", "Water under the H4", PRIYA.email, "act", since=1.5,
        action="Re-seat every tank seal of batch H4-2231",
        post=("Water under the H4", "Machines of batch H4-2231 lose water at the tank. The number stands on the plate below."),
        me_toos=19, fit=5, effort=3,
    ),
)  # fmt: skip
_INTRO: Final = "What many of you tell us, in our words, and how it stands. Say so if it is the same for you."
_NOTES: Final[Sequence[tuple[float, str, str, str]]] = (
    (
        0,
        "quality",
        PRIYA.email,
        "Half of the stock is re-seated. Whoever wrote gets a tank, and the letter is out.\nTo do: check one machine in ten again.",
    ),
    (
        2,
        "quality",
        PRIYA.email,
        "Seals: more reports than ever, and nearly all that name a batch name 2231. Erik looks at the pressing tool on Monday.",
    ),
    (
        1,
        "quality",
        PRIYA.email,
        "Tool is worn on the left, see the photo on the wall. Stock stopped on Tuesday. 1,150 machines to re-seat, two people for"
        " eight days.\nTo do: Leila asks the courier for the addresses. Karl orders the new tool with a counter.",
    ),
    (
        1,
        "app",
        "daniel@halden.example",
        "4.3 is out. Many reviews about pairing since: the retries are gone with the new library. Back to it, before anything else.",
    ),
)


class Talking:
    """`said_of` tells what an item is about to somebody who has read it."""

    def __init__(
        self,
        *,
        now: datetime,
        actors: Mapping[str, Actor],
        system: Actor,
        said_of: Mapping[int, Said],
        improving: Improving,
    ) -> None:
        self._now, self._actors, self._system = now, actors, system
        self._said_of, self._improving = said_of, improving
        # Who sees what every team has.
        self._reader = actors[MINA.email]
        self._chance = Random("talking")
        self._gathered: set[int] = set()
        self._themes: dict[str, Theme] = {}

    def begin(self, plan: Plan) -> None:
        """Everything that will be said and done about themes, each at its time."""
        self._topics = {topic.slug: topic for topic in Topic.objects.filter(slug__in=[one.words for one in STANCES])}
        began = self._ago(SINCE)
        plan(began, self._form)
        # The portal looks every quarter of an hour, which takes too long to play.
        for back in (35, 28, 21, 14, 7, 3):
            plan(self._ago(back / 7).replace(hour=12), self._look)
        plan(self._now - timedelta(minutes=20), self._look)
        plan(began + timedelta(days=1), lambda at: board.set_up(by=self._system, at=at, is_open=True, intro=_INTRO))
        for stance in STANCES:
            plan(self._ago(stance.since), partial(self._answer, stance, plan))
        for weeks, team, by, text in _NOTES:
            plan(self._now - timedelta(weeks=weeks, hours=1), partial(self._note, team, by, text))

    def _ago(self, weeks: float) -> datetime:
        return (self._now - timedelta(weeks=weeks)).replace(hour=9, minute=30)

    def _form(self, at: datetime) -> None:
        """What the portal finds alike in half a year, and what people call it."""
        self._gather(at)
        for stance in STANCES:
            mine = self._about(stance)
            if mine:
                self._themes[stance.words] = themes.decide(
                    mine[0].reference, "rename", by=self._reader, at=at, name=stance.name
                )
        self._join(at)

    def _look(self, at: datetime) -> None:
        self._gather(at)
        self._join(at)
        life.judge(at=at)

    def _join(self, at: datetime) -> None:
        """The same in another language, or in other words, is one theme to whoever reads it."""
        for stance in STANCES:
            first = self._themes.get(stance.words)
            for other in self._about(stance) if first else ():
                if first and other.pk != first.pk:
                    themes.decide(other.reference, "join", by=self._reader, at=at, into=first.reference)

    def _about(self, stance: Stance) -> list[Theme]:
        """The themes of its topic in which most say what it is about, the largest first."""
        living = Theme.objects.living().filter(topic=self._topics[stance.words], size__gt=0)
        return [theme for theme in living.order_by("-size", "pk") if self._is_about(theme, stance)]

    def _gather(self, at: datetime) -> None:
        """What came in since and belongs to a topic that is talked about; the rest is left to the workers."""
        wanted = {topic.pk for topic in self._topics.values()}
        waiting = Gathering.objects.waiting().filter(item__arrival__completed_at__isnull=False)
        new = sorted(set(waiting.values_list("item", flat=True)) - self._gathered)
        chosen = [item for item, topic in gathering.surest_topics(new).items() if topic in wanted]
        items = FeedbackItem.objects.select_related("customer").filter(pk__in=chosen).order_by("pk")
        for start in range(0, len(chosen), _BATCH):
            gathering.gather(list(items[start : start + _BATCH]), at=at)
        self._gathered |= set(chosen)
        Gathering.objects.filter(item__in=chosen).update(completed_at=Now(), attempts=1)
        # What came near to no theme is grouped a few seconds later.
        loose = Regrouping.objects.filter(topic__in=wanted)
        for topic in sorted(loose.values_list("topic", flat=True)):
            grouping.group(topic, at=at)
        loose.delete()

    def _is_about(self, theme: Theme, stance: Stance) -> bool:
        words = Counter(self._said_of[item].theme.words for item in theme.members.values_list("item", flat=True))
        return words.most_common(1)[0][0] == stance.words if words else False

    def _answer(self, stance: Stance, plan: Plan, at: datetime) -> None:
        theme = self._themes.get(stance.words)
        if theme is None:
            return
        by = self._actors[stance.by]
        told = {"action": self._improving.called(stance.action).reference} if stance.action else {}
        ranking.estimate(theme.reference, by=by, at=at, fit=stance.fit, effort=stance.effort)
        answering.decide(theme.reference, by=by, at=at, choice=stance.choice, **told, **stance.decided)
        if stance.post is None:
            return
        title, text = stance.post
        post = board.publish(theme.reference, by=by, at=at + timedelta(minutes=10), title=title, text=text)
        for number in range(stance.me_toos):
            said_at = at + (self._now - at) * self._chance.uniform(0.01, 0.99)
            plan(said_at, partial(_say_me_too, post.pk, f"visitor-{number}"))

    def _note(self, team: str, by: str, text: str, at: datetime) -> None:
        found = Team.objects.get(slug=team)
        week.write(found, week.monday("", at=at), by=self._actors[by], at=at, text=text)


def _say_me_too(post: int, voter: str, at: datetime) -> None:
    board.say_me_too(post, voter=voter, at=at)
