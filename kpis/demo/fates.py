"""What becomes of each thing somebody said: the steps people take on it, at the hours people work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from kpis.demo import organisation
from kpis.demo.organisation import ADA, MINA, TOMAS
from kpis.demo.story import Mood, Said
from triage.lifecycle import Resolution

FASTER_SINCE: Final = timedelta(weeks=8)
"""Since then the desk works in two shifts, and a few hours at weekends."""

# Working hours until somebody decides, in the middle, before and since.
_TO_DECIDE: Mapping[Mood, tuple[float, float]] = {
    Mood.BAD: (4.0, 0.9),
    Mood.IDEA: (8.0, 2.5),
    Mood.GOOD: (7.0, 2.0),
    Mood.NOISE: (8.0, 3.0),
}
# Working hours from the decision to the outcome, in the middle.
_TO_END: Mapping[Mood, float] = {Mood.BAD: 36.0, Mood.IDEA: 70.0, Mood.GOOD: 6.0, Mood.NOISE: 0.0}
_SPREAD = 0.9
_PATIENCE = timedelta(days=18)
# The share left lying: while it is not due, until it is due for as long again, and after that.
_LEFT: Mapping[Mood, tuple[float, float, float]] = {
    Mood.BAD: (0.9, 0.08, 0.0),
    Mood.IDEA: (0.95, 0.1, 0.0),
    Mood.GOOD: (0.95, 0.05, 0.0),
    Mood.NOISE: (0.95, 0.05, 0.0),
}
_HOURS = {"triage-desk": organisation.DESK_HOURS} | {slug: hours for slug, _, _, hours in organisation.TEAMS}
_COLLEAGUES: Mapping[str, Sequence[organisation.Person]] = {
    team: [person for person in organisation.PEOPLE if team in person.teams and person not in (ADA, MINA, TOMAS)]
    for team in ("triage-desk", *(slug for slug, *_ in organisation.TEAMS))
}


@dataclass(frozen=True)
class Step:
    """One thing somebody does; `by` is an address, empty where it is the customer."""

    at: datetime
    does: str
    by: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)


class WorkingHours:
    """When people at Halden work, in UTC: weekdays from seven to five, of late until nine and on weekend mornings."""

    def __init__(self, now: datetime) -> None:
        self._faster_from = now - FASTER_SINCE

    def after(self, moment: datetime, hours: float) -> datetime:
        """The moment so many working hours later."""
        left = timedelta(hours=hours)
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        while True:
            opens, closes = self._open(day)
            start = max(moment, opens)
            if start < closes:
                if start + left <= closes:
                    return start + left
                left -= closes - start
            day += timedelta(days=1)

    def _open(self, day: datetime) -> tuple[datetime, datetime]:
        is_faster = day > self._faster_from
        if day.weekday() < 5:
            return day + timedelta(hours=7), day + timedelta(hours=21 if is_faster else 17)
        return day + timedelta(hours=8), day + timedelta(hours=13 if is_faster else 8)


class Fates:
    """Draws the steps of one item after the other, up to `now`."""

    def __init__(self, chance: Random, *, now: datetime) -> None:
        self._chance, self._now = chance, now
        self._hours = WorkingHours(now)

    def of(self, said: Said) -> list[Step]:
        """Nothing where it still waits for somebody to decide."""
        mood = Mood.NOISE if said.is_score_only else said.theme.mood
        if said.is_cast or self._is_left(said, mood):
            return []
        decided_at = self._decided_at(said, mood)
        steps = {
            Mood.BAD: self._worked_on,
            Mood.IDEA: self._weighed,
            Mood.GOOD: self._thanked,
            Mood.NOISE: self._put_away,
        }[mood](said, decided_at)
        return sorted((step for step in steps if step.at < self._now), key=lambda step: step.at)

    def _is_left(self, said: Said, mood: Mood) -> bool:
        if said.theme.words == "overheating":
            return False
        age = (self._now - said.at) / timedelta(hours=_HOURS[said.theme.team])
        not_due, due, long_due = _LEFT[mood]
        return self._chance.random() < (not_due if age < 1 else due if age < 2 else long_due)

    def _decided_at(self, said: Said, mood: Mood) -> datetime:
        if said.theme.words == "overheating":
            return said.at + timedelta(minutes=self._chance.uniform(6, 50))
        before, since = _TO_DECIDE[mood]
        middle = since if said.at > self._now - FASTER_SINCE else before
        return self._hours.after(said.at, 0.1 + middle * self._chance.lognormvariate(0, _SPREAD))

    def _worked_on(self, said: Said, at: datetime) -> list[Step]:
        """A complaint: decided, often linked to an improvement, answered, and one day resolved."""
        chance, person = self._chance, self._worker(said)
        if chance.random() < 0.07:
            return [Step(at, "merge", self._reader(said))]
        takes = chance.random() < 0.35
        steps = [Step(at, "settle", person if takes else self._reader(said), {"takes": takes})]
        end = self._hours.after(at, _TO_END[Mood.BAD] * chance.lognormvariate(0, _SPREAD))
        between = self._between(at, end)
        steps.append(Step(next(between), "link", person))
        if chance.random() < 0.08:
            steps.append(Step(next(between), "note", person, {"mood": "notes"}))
        if said.customer and chance.random() < 0.1:
            asked_at = next(between)
            steps.append(Step(asked_at, "reply", person, {"mood": "question", "wait": True}))
            if chance.random() < 0.25:
                # Nothing more is heard of some, and after a while they are let go.
                given_up = {"resolution": Resolution.NOT_REPRODUCIBLE, "mood": "silent"}
                return [*steps, Step(asked_at + _PATIENCE, "resolve", person, given_up)]
            heard_at = min(asked_at + timedelta(hours=chance.uniform(2, 48)), asked_at + (end - asked_at) / 2)
            steps.append(Step(heard_at, "hear"))
            between = self._between(heard_at, end)
        if said.customer and chance.random() < 0.4:
            steps.append(Step(next(between), "reply", person, {"mood": "bad"}))
        outcome = chance.choices((Resolution.ANSWERED, Resolution.NOT_REPRODUCIBLE, Resolution.DECLINED), (88, 7, 5))[0]
        steps.append(Step(end, "resolve", person, {"resolution": outcome, "mood": "bad"}))
        return steps + self._rated(said, end, person)

    def _weighed(self, said: Said, at: datetime) -> list[Step]:
        chance, person = self._chance, self._worker(said)
        end = self._hours.after(at, _TO_END[Mood.IDEA] * chance.lognormvariate(0, _SPREAD))
        steps = [
            Step(at, "settle", self._reader(said), {"takes": False}),
            Step(self._hours.after(at, chance.uniform(0.5, 8)), "link", person),
        ]
        if said.customer and chance.random() < 0.4:
            steps.append(Step(self._hours.after(at, chance.uniform(1, 12)), "reply", person, {"mood": "idea"}))
        if chance.random() < 0.16:
            until = end + timedelta(days=chance.randint(7, 20))
            return [*steps, Step(end, "snooze", person, {"until": until})]
        if chance.random() < 0.88:
            outcome = Resolution.DECLINED if chance.random() < 0.35 else Resolution.ANSWERED
            steps.append(Step(end, "resolve", person, {"resolution": outcome, "mood": "idea"}))
        return steps

    def _thanked(self, said: Said, at: datetime) -> list[Step]:
        chance, reader = self._chance, self._reader(said)
        resolved = {"resolution": Resolution.ANSWERED, "mood": "good"}
        if chance.random() < 0.6:
            return [Step(at, "read", reader), Step(at + timedelta(minutes=1), "resolve", reader, resolved)]
        person = self._worker(said)
        end = self._hours.after(at, _TO_END[Mood.GOOD] * chance.lognormvariate(0, _SPREAD))
        steps = [Step(at, "settle", reader, {"takes": False}), Step(end, "link", person)]
        return [*steps, Step(end + timedelta(minutes=2), "resolve", person, resolved)]

    def _put_away(self, said: Said, at: datetime) -> list[Step]:
        outcome = Resolution.SPAM if said.theme.words == "spam" else Resolution.ANSWERED
        return [Step(at, "resolve", self._reader(said), {"resolution": outcome})]

    def _rated(self, said: Said, end: datetime, person: str) -> list[Step]:
        """Some say how they were helped; who was not helped is helped again."""
        chance = self._chance
        if said.customer is None or chance.random() > 0.14:
            return []
        value = chance.choices((5, 4, 3, 2, 1), (46, 30, 14, 6, 4))[0]
        at = end + timedelta(hours=chance.uniform(1, 60))
        steps = [Step(at, "rate", given={"value": value})]
        return steps + self.again(at, person) if value <= 2 else steps

    def again(self, at: datetime, person: str) -> list[Step]:
        """Whoever was not helped is helped once more."""
        end = self._hours.after(at, self._chance.uniform(4, 40))
        return [Step(end, "resolve", person, {"resolution": Resolution.ANSWERED, "mood": "bad"})]

    def _between(self, start: datetime, end: datetime) -> "_Between":
        return _Between(start, end, self._hours, self._chance)

    def _reader(self, said: Said) -> str:
        """Whoever of the desk is there; Mina does most of it."""
        return self._chance.choices((MINA, TOMAS, ADA), (5, 3, 2))[0].email

    def _worker(self, said: Said) -> str:
        return self._chance.choice(_COLLEAGUES[said.theme.team]).email


class _Between:
    """Moments between two at which people work, each later than the one before."""

    def __init__(self, start: datetime, end: datetime, hours: WorkingHours, chance: Random) -> None:
        self._last, self._end, self._hours, self._chance = start, end, hours, chance

    def __next__(self) -> datetime:
        later = self._last + (self._end - self._last) * self._chance.uniform(0.05, 0.3)
        self._last = min(self._hours.after(later, 0), self._end)
        return self._last
