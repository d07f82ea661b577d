"""What people do with themes: name, describe, split, join, freeze, put to rest, move an item, link an action. It always stands.

As in `decisions`, every verb is one transaction: a compare-and-set on the theme's version and the events that say what was done.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import theme_number, ticket_number
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotFound, Refused
from intake.cleaning import clean_line, clean_text
from triage.alike import clusters
from triage.improving import improvements
from triage.models import Theme, ThemeAction, ThemeEvent, ThemeMember, Ticket, Wording
from triage.themes import grouping

LONGEST_NAME: Final = 160
LONGEST_TEXT: Final = 4_000
MOST_CHOSEN: Final = 500


class StaleTheme(Refused):
    """Somebody changed it meanwhile; `extra["current"]` is the theme as it stands."""

    status = 409
    code = "stale-theme"
    title = marked("Somebody was quicker")


class NotThisTheme(Refused):
    status = 409
    code = "not-this-theme"
    title = marked("This theme cannot take that decision now")


def find(reference: str, *, by: Actor) -> Theme:
    """The theme of this reference, or the one it was joined into, if it exists for this actor."""
    number = theme_number(reference)
    rows = Theme.objects.select_related("topic__team__stage")
    theme = rows.filter(pk=number).first() if number else None
    if theme is not None and theme.joined_into_id:
        theme = rows.filter(pk=theme.joined_into_id).first()
    if theme is None or not Theme.objects.visible_to(by).filter(pk=theme.pk).exists():
        raise NotFound(
            gettext(
                "There is no such theme, or nothing in it was said to a team you are in. Its team can tell you more."
            )
        )
    return theme


def decide(
    reference: str, verb: str, *, by: Actor, at: datetime, version: int | None = None, **arguments: Any
) -> Theme:
    """Do `verb` on the theme with this reference, as a form or a program names them; the theme as it then is.

    Raises `NotFound` for what `by` may not see, `BadInput` for arguments, `StaleTheme` and `NotThisTheme`.
    """
    function = VERBS.get(verb)
    if function is None:
        raise BadInput(
            gettext('There is no verb "%(verb)s". Use one of %(known)s.')
            % {"verb": verb[:40], "known": ", ".join(VERBS)},
            errors=(_wrong("verb", gettext("Unknown verb.")),),
        )
    theme = find(reference, by=by)
    if version is not None and version != theme.version:
        raise _stale(theme)
    try:
        with transaction.atomic():
            result = function(theme, by=by, at=at, **arguments)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise BadInput(
            gettext('The verb "%(verb)s" takes other arguments: %(error)s.') % {"verb": verb, "error": error}
        ) from None
    return find((result if isinstance(result, Theme) else theme).reference, by=by)


def rename(theme: Theme, *, by: Actor, at: datetime, name: str) -> None:
    """Give it a name of one's own; no machine replaces it."""
    clean = _name(name)
    if clean == theme.name and theme.is_named:
        raise NotThisTheme(gettext("It is called that already."))
    _set(theme, ThemeEvent.Type.RENAMED, {"name": clean, "from": theme.name}, by=by, at=at, name=clean, is_named=True)


def describe(theme: Theme, *, by: Actor, at: datetime, description: str) -> None:
    clean = clean_text(description if isinstance(description, str) else "", longest=LONGEST_TEXT)
    _set(theme, ThemeEvent.Type.DESCRIBED, {}, by=by, at=at, description=clean)


def freeze(theme: Theme, *, by: Actor, at: datetime) -> None:
    """No machine moves its members or its centre any more; new items that say the same still join it."""
    if theme.is_frozen:
        raise NotThisTheme(gettext("It is frozen already."))
    _set(theme, ThemeEvent.Type.FROZEN, {}, by=by, at=at, is_frozen=True)


def thaw(theme: Theme, *, by: Actor, at: datetime) -> None:
    if not theme.is_frozen:
        raise NotThisTheme(gettext("It is not frozen."))
    _set(theme, ThemeEvent.Type.THAWED, {}, by=by, at=at, is_frozen=False)


def rest(theme: Theme, *, by: Actor, at: datetime) -> None:
    """Quiet until it grows: it returns by itself when more is said than was to be expected."""
    if theme.state == Theme.State.RESTING:
        raise NotThisTheme(gettext("It rests already."))
    _set(theme, ThemeEvent.Type.RESTED, {}, by=by, at=at, state=Theme.State.RESTING, state_at=at, rested_at=at)


def wake(theme: Theme, *, by: Actor, at: datetime) -> None:
    if theme.state != Theme.State.RESTING:
        raise NotThisTheme(gettext("It does not rest."))
    _set(theme, ThemeEvent.Type.WOKE, {}, by=by, at=at, state=Theme.State.STEADY, state_at=at, rested_at=None)


def split(theme: Theme, *, by: Actor, at: datetime, items: Sequence[str], name: str) -> Theme:
    """Take the items of these tickets out into a theme of their own; it is returned. They stay there, whatever is grouped anew."""
    clean = _name(name)
    chosen = sorted(_items(items, by=by) & set(theme.members.values_list("item", flat=True)))
    if not chosen or len(chosen) == theme.size:
        message = gettext("Choose some of its items, but not all of them.")
        raise BadInput(message, errors=(_wrong("items", message),))
    other = Theme.objects.create(
        name=clean,
        is_named=True,
        topic=theme.topic,
        made_by=Theme.MadeBy.PERSON,
        state=Theme.State.NEW,
        state_at=at,
        is_shaped=True,
        space=theme.space,
        centre=_centre(chosen),
    )
    _put(chosen, other, by=by, at=at)
    _set(theme, ThemeEvent.Type.SPLIT, {"into": other.reference, "items": len(chosen)}, by=by, at=at)
    grouping.refresh([theme.pk, other.pk], centres_too=True)
    Theme.objects.filter(pk=theme.pk).update(is_shaped=True)
    _tell(other, ThemeEvent.Type.FOUND, {"from": theme.reference, "items": len(chosen)}, by=by, at=at)
    return other


def join(theme: Theme, *, by: Actor, at: datetime, into: str) -> Theme:
    """Put all of it into another theme, which is returned; its old number leads there from now on."""
    other = find(into, by=by)
    if other.pk == theme.pk:
        raise BadInput(
            gettext("A theme cannot be joined into itself."), errors=(_wrong("into", gettext("Choose another theme.")),)
        )
    # In the order of their numbers, so that two who join each other's themes wait and do not lock each other out.
    list(Theme.objects.select_for_update().filter(pk__in=[theme.pk, other.pk]).order_by("pk"))
    if not Theme.objects.living().filter(pk=other.pk).exists():
        raise NotThisTheme(gettext("The other theme was joined into a third meanwhile. Look at it again."))
    _set(
        theme, ThemeEvent.Type.JOINED, {"into": other.reference, "items": theme.size}, by=by, at=at, joined_into=other,
        state=Theme.State.STEADY, rested_at=None,
    )  # fmt: skip
    grouping.try_rules_later(theme.members.values_list("item", flat=True))
    theme.members.update(theme=other, source="person", person=by.user, joined_at=at)
    Theme.objects.filter(joined_into=theme).update(joined_into=other)
    Theme.objects.filter(pk=other.pk).update(is_shaped=True, version=F("version") + 1)
    ThemeAction.objects.filter(theme=theme, unlinked_at=None).exclude(
        action__in=other.action_links.filter(unlinked_at=None).values("action")
    ).update(theme=other)
    _tell(other, ThemeEvent.Type.JOINED, {"from": theme.reference, "items": theme.size}, by=by, at=at)
    grouping.refresh([theme.pk, other.pk])
    return other


def move(theme: Theme, *, by: Actor, at: datetime, items: Sequence[str], to: str = "") -> None:
    """Put the items of these tickets into another theme, or with an empty `to` into none. They stay there."""
    chosen = sorted(_items(items, by=by) & set(theme.members.values_list("item", flat=True)))
    if not chosen:
        message = gettext("Choose at least one of its items.")
        raise BadInput(message, errors=(_wrong("items", message),))
    target = find(to, by=by) if to else None
    if target is not None and target.pk == theme.pk:
        raise BadInput(
            gettext("They are in this theme already."), errors=(_wrong("to", gettext("Choose another theme.")),)
        )
    told = {"to": target.reference if target else None, "items": len(chosen)}
    _set(theme, ThemeEvent.Type.MOVED, told, by=by, at=at)
    _put(chosen, target, by=by, at=at)
    grouping.refresh([theme.pk, *([target.pk] if target else [])], centres_too=True)


def link(theme: Theme, *, by: Actor, at: datetime, action: str = "", title: str = "", team: str = "") -> None:
    """Say which improvement answers it: a known one, or with a `title` a new plan of a team."""
    if action:
        found = improvements.find(action, by=by)
    else:
        owner = team or (theme.topic.team.slug if theme.topic and theme.topic.team else "")
        found = improvements.create(by=by, at=at, title=title, team=owner)
    try:
        with transaction.atomic():
            ThemeAction.objects.create(theme=theme, action=found, person=by.user, linked_at=at)
    except IntegrityError:
        raise NotThisTheme(gettext("It is linked to %(reference)s already.") % {"reference": found.reference}) from None
    _set(theme, ThemeEvent.Type.LINKED, {"action": found.reference}, by=by, at=at)


def unlink(theme: Theme, *, by: Actor, at: datetime, action: str) -> None:
    found = improvements.find(action, by=by)
    if not ThemeAction.objects.filter(theme=theme, action=found, unlinked_at=None).update(unlinked_at=at):
        raise NotThisTheme(gettext("It is not linked to %(reference)s.") % {"reference": found.reference})
    _set(theme, ThemeEvent.Type.UNLINKED, {"action": found.reference}, by=by, at=at)


VERBS: Mapping[str, Callable[..., Theme | None]] = {
    function.__name__: function
    for function in (rename, describe, freeze, thaw, rest, wake, split, join, move, link, unlink)
}
"""What people and programs may do by name."""


def summary(theme: Theme) -> dict[str, Any]:
    """A theme in a few names, for programs; its topic with team and stage must be loaded."""
    team = theme.topic.team if theme.topic else None
    return {
        "reference": theme.reference,
        "version": theme.version,
        "name": theme.name,
        "is_named": theme.is_named,
        "description": theme.description,
        "state": theme.state,
        "state_at": theme.state_at,
        "grew_at": theme.grew_at,
        "is_frozen": theme.is_frozen,
        "topic": theme.topic.slug if theme.topic else None,
        "team": team.slug if team else None,
        "words": theme.words,
        "size": theme.size,
        "customers": theme.customers,
        "first_at": theme.first_at,
        "last_at": theme.last_at,
    }


def _set(theme: Theme, kind: str, data: dict[str, Any], *, by: Actor, at: datetime, **changes: Any) -> None:
    """The compare-and-set and its event."""
    rows = Theme.objects.living().filter(pk=theme.pk, version=theme.version)
    if not rows.update(version=F("version") + 1, **changes):
        raise _stale(theme)
    theme.version += 1
    _tell(theme, kind, data, by=by, at=at)


def _tell(theme: Theme, kind: str, data: dict[str, Any], *, by: Actor, at: datetime) -> None:
    ThemeEvent.objects.create(theme=theme, type=kind, person=by.user, key=by.key, data=data, occurred_at=at)


def _stale(theme: Theme) -> StaleTheme:
    current = Theme.objects.select_related("topic__team").get(pk=theme.pk)
    told = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in summary(current).items()
    }
    return StaleTheme(
        gettext("Somebody changed %(reference)s while you looked. Look at it as it is now, and decide again.")
        % {"reference": theme.reference},
        extra={"current": told},
    )


def _put(items: Sequence[int], theme: Theme | None, *, by: Actor, at: datetime) -> None:
    ThemeMember.objects.filter(item__in=items).update(
        theme=theme, source="person", person=by.user, score=1.0, reason=f"{by.name} put it here."[:200], joined_at=at
    )
    grouping.try_rules_later(items)


def _centre(items: Sequence[int]) -> bytes:
    points = grouping.points_of(list(Wording.objects.filter(item__in=items).only("item", "bag").order_by("item")))
    return grouping.kept(clusters.centre(points.rows)) if len(points.rows) and np.any(points.rows) else b""


def _items(references: Sequence[str], *, by: Actor) -> set[int]:
    """The items of these tickets, as far as `by` may see them."""
    given = [references] if isinstance(references, str) else list(references)
    if len(given) > MOST_CHOSEN or not all(isinstance(one, str) for one in given):
        message = gettext("Choose at most %(most_chosen)s items, each by the reference of its ticket.") % {
            "most_chosen": MOST_CHOSEN
        }
        raise BadInput(message, errors=(_wrong("items", message),))
    numbers = [number for one in given if (number := ticket_number(one))]
    return set(Ticket.objects.visible_to(by).filter(pk__in=numbers).values_list("item", flat=True))


def _name(given: object) -> str:
    clean = clean_line(given if isinstance(given, str) else "", longest=LONGEST_NAME)
    if not clean:
        message = gettext("Give it a name, in a few words.")
        raise BadInput(message, errors=(_wrong("name", message),))
    return clean


def _wrong(path: str, message: str) -> InputError:
    return InputError(path, message)
