"""The search box of actions: the syntax of the queue's, with the words that an action can answer to."""

from collections.abc import Callable, Mapping
from datetime import date

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext

from feedback_portal.accounts.models import User
from feedback_portal.codes import action_number, theme_number
from triage.finding.search import And, Is, Not, Or, Query, SearchError, Term, Where, parse
from triage.models import Action, ActionLink, ThemeAction

FIELDS = ("is", "team", "stage", "assigned", "theme", "tag", "product", "segment", "action", "id")
"""`is:` open, done, overdue, waiting (for a verdict), or a step or verdict by its name as a plain word."""


def matching(text: str, *, user: User | None, today: date) -> Q:
    """Which actions a query means; raises SearchError for what is no query, or asks what no action answers."""
    return _of(parse(text), user, today)


def _of(query: Query, user: User | None, today: date) -> Q:
    if isinstance(query, And):
        found = Q()
        for part in query.parts:
            found &= _of(part, user, today)
        return found
    if isinstance(query, Or):
        found = _of(query.parts[0], user, today)
        for part in query.parts[1:]:
            found |= _of(part, user, today)
        return found
    if isinstance(query, Not):
        return ~_of(query.part, user, today)
    if isinstance(query, Term):
        return _word(query.text)
    return _where(query, user, today)


def _word(word: str) -> Q:
    if number := action_number(word):
        return Q(pk=number)
    low = word.lower()
    if low in Action.Kind.values:
        return Q(kind=low)
    if low in Action.Outcome.values:
        return Q(verdict=low)
    return Q(title__icontains=word) | Q(problem__icontains=word) | Q(root_cause__icontains=word)


def _where(term: Where, user: User | None, today: date) -> Q:
    read = _FIELDS.get(term.field)
    if read is None:
        raise SearchError(
            gettext("Actions cannot be searched by %(field)s. Use one of %(known)s, or plain words.")
            % {"field": term.field, "known": ", ".join(FIELDS)}
        )
    found = Q()
    for value in term.values:
        if not isinstance(value, Is):
            raise SearchError(
                gettext("%(field)s of an action is one of several words; leave out < and >.") % {"field": term.field}
            )
        found |= read(str(value.value), user, today)
    return found


def _is(word: str, user: User | None, today: date) -> Q:
    under_way = Q(withdrawn_at=None) & ~Q(step="act")
    states = {
        "open": under_way,
        "overdue": Q(withdrawn_at=None, step__in=["plan", "do"], due_at__lt=today),
        "waiting": Q(withdrawn_at=None, step="check", verdict=""),
        "done": Q(withdrawn_at=None, step="act"),
        "closed": Q(withdrawn_at__isnull=False) | Q(step="act"),
        "resolved": Q(withdrawn_at=None, shipped_at__isnull=False),
    }
    if word not in states:
        raise SearchError(gettext("An action is one of %(known)s.") % {"known": ", ".join(states)})
    return states[word]


def _team(word: str, user: User | None, today: date) -> Q:
    helping = Action.objects.filter(contributors__slug=word).values("pk")
    return Q(team__slug=word) | Q(pk__in=helping)


def _assigned(word: str, user: User | None, today: date) -> Q:
    if word == "none":
        return Q(owner=None)
    if word == "me":
        return Q(owner=user) if user else Q(pk=None)
    return Q(owner__name__icontains=word) | Q(owner__email__iexact=word)


def _theme(word: str, user: User | None, today: date) -> Q:
    number = theme_number(word)
    if word == "none":
        return ~Q(Exists(ThemeAction.objects.filter(action=OuterRef("pk"), unlinked_at=None))) & Q(
            expectation__theme=None
        )
    named = Q(theme=number) if number else Q(theme__name__icontains=word)
    expected = Q(expectation__theme=number) if number else Q(expectation__theme__name__icontains=word)
    return Q(Exists(ThemeAction.objects.filter(named, action=OuterRef("pk"), unlinked_at=None))) | expected


def _tag(word: str, user: User | None, today: date) -> Q:
    linked = ActionLink.objects.filter(
        action=OuterRef("pk"),
        unlinked_at=None,
        ticket__item__taggings__topic__slug=word,
        ticket__item__taggings__removed_at=None,
    )
    return Q(expectation__topic__slug=word) | Q(Exists(linked))


_FIELDS: Mapping[str, Callable[[str, User | None, date], Q]] = {
    "is": _is,
    "team": _team,
    "stage": lambda word, user, today: Q(stage=None) if word == "none" else Q(stage__slug=word),
    "assigned": _assigned,
    "theme": _theme,
    "tag": _tag,
    "product": lambda word, user, today: Q(expectation__product__iexact=word),
    "segment": lambda word, user, today: Q(expectation__segment__iexact=word),
    "action": lambda word, user, today: Q(pk=action_number(word) or 0),
    "id": lambda word, user, today: Q(pk=action_number(word) or 0),
}
