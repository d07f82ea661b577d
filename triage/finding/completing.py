"""What may stand next in the search box, while somebody types: fields, then their values with how much each would find."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.translation import gettext

from feedback_portal.accounts.models import Stage, Team, User
from feedback_portal.accounts.permissions import Actor
from intake.models import Channel
from triage.finding import in_tab, matching, search
from triage.finding.counting import counts
from triage.finding.search_fields import ALIASES, FIELDS
from triage.models import Theme, Topic

MOST: Final = 8


@dataclass(frozen=True)
class Completion:
    """`text` is the whole search when this is taken; `count` what it then finds, None where nobody counted."""

    shown: str
    about: str
    text: str
    count: int | None = None


def completions(text: str, *, tab: str, by: Actor, at: datetime) -> list[Completion]:
    """For a search of which the last word is being typed, the likeliest first."""
    before, _, typed = text[-search.LONGEST_QUERY :].rpartition(" ")
    lead = f"{before} " if before else ""
    minus = "-" if typed.startswith("-") else ""
    name, colon, value = typed.removeprefix("-").partition(":")
    if not colon:
        known = [each for each in FIELDS if each.startswith(name.lower())] if name else list(FIELDS)
        return [Completion(f"{each}:", gettext(FIELDS[each].about), f"{lead}{minus}{each}:") for each in known[:MOST]]
    field = ALIASES.get(name.lower(), name.lower())
    if field not in FIELDS:
        return []
    done, comma, begun = value.rpartition(",")
    values = _values(field, begun.strip('"').lower(), by)
    whole = [f"{lead}{minus}{name}:{done}{comma}{_quoted(each)}" for each, _ in values]
    found = []
    for each in whole:
        try:
            found.append(in_tab(matching(search.parse(each), by, at=at), tab, by))
        except search.SearchError:  # what stands before is no search yet, so nothing can be counted
            found = []
            break
    counted = counts(found) if found else [None] * len(whole)
    return [
        Completion(each, about, f"{after} ", count)
        for (each, about), after, count in zip(values, whole, counted, strict=True)
    ]


def _values(field: str, begun: str, by: Actor) -> list[tuple[str, str]]:
    """Values of a field that begin like this, each with what it means."""
    fixed = [(each, "") for each in FIELDS[field].choices if each.startswith(begun)]
    named = _NAMED.get(field)
    return (fixed + list(named(begun, by) if named else ()))[:MOST]


def _teams(begun: str, by: Actor) -> Sequence[tuple[str, str]]:
    rows = Team.objects.filter(is_active=True)
    rows = rows if by.sees_everything else rows.filter(pk__in=by.team_ids)
    return [
        (slug, name) for slug, name in rows.order_by("name").values_list("slug", "name") if _begins(begun, slug, name)
    ]


def _stages(begun: str, by: Actor) -> Sequence[tuple[str, str]]:
    rows = Stage.objects.order_by("position").values_list("slug", "name")
    return [(slug, name) for slug, name in rows if _begins(begun, slug, name)]


def _topics(begun: str, by: Actor) -> Sequence[tuple[str, str]]:
    rows = Topic.objects.filter(is_active=True).order_by("name").values_list("slug", "name")
    return [(slug, name) for slug, name in rows if _begins(begun, slug, name)]


def _people(begun: str, by: Actor) -> Sequence[tuple[str, str]]:
    rows = User.objects.filter(is_active=True)
    if not by.sees_everything:
        rows = rows.filter(memberships__team__in=by.team_ids).distinct()
    people = rows.order_by("name").values_list("email", "name")[:500]
    return [(email, name) for email, name in people if _begins(begun, email, name)]


def _channels(begun: str, by: Actor) -> Sequence[tuple[str, str]]:
    rows = Channel.objects.order_by("name").values_list("slug", "name")[:500]
    return [(slug, name) for slug, name in rows if _begins(begun, slug, name)]


def _themes(begun: str, by: Actor) -> Sequence[tuple[str, str]]:
    rows = (
        Theme.objects.visible_to(by).living().filter(name__icontains=begun)
        if begun
        else Theme.objects.visible_to(by).living()
    )
    return [(theme.reference, theme.name) for theme in rows.order_by("-size", "-pk")[:MOST]]


_NAMED: Mapping[str, Callable[[str, Actor], Sequence[tuple[str, str]]]] = {
    "team": _teams,
    "stage": _stages,
    "tag": _topics,
    "assigned": _people,
    "channel": _channels,
    "theme": _themes,
}


def _begins(begun: str, slug: str, name: str) -> bool:
    return slug.lower().startswith(begun) or any(word.lower().startswith(begun) for word in name.split())


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value
