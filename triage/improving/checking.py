"""Check and act: the verdict on an action's effect, closing it on one, and reopening it when the complaint returns."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext

from feedback_portal.accounts.models import Role, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, InputError, Refused
from intake.cleaning import clean_text
from triage import notifications
from triage.improving import improvements
from triage.improving.improvements import NotThisStep, Step, change_row, tell
from triage.models import Action, ActionEvent, Theme, ThemeAction, Verdict

PORTAL = Actor()


def record(found: Sequence[Verdict]) -> int:
    """Write down what the floor above computed; how many outcomes are news. Doing it twice changes nothing more.

    The action shows the outcome at once; a comparison that has become impossible leaves the last one standing.
    """
    rows = {each.action_id: each for each in found}
    news = 0
    with transaction.atomic():
        actions = list(Action.objects.select_for_update().filter(pk__in=rows).order_by("pk"))
        Verdict.objects.bulk_create(
            [rows[action.pk] for action in actions],
            update_conflicts=True,
            unique_fields=["action"],
            update_fields=[
                "outcome", "alone", "method", "sentence", "unit", "estimate", "low", "high", "detectable", "p", "data", "judged_at",
            ],
        )  # fmt: skip
        for action in actions:
            verdict = rows[action.pk]
            if verdict.outcome == action.verdict or not verdict.outcome:
                continue
            change_row(action, None, verdict=verdict.outcome)
            told = {"outcome": verdict.outcome, "sentence": verdict.sentence, "was": action.verdict}
            tell(action, ActionEvent.Type.JUDGED, told, by=PORTAL, at=verdict.judged_at)
            news += 1
    return news


def close(
    action: Action,
    *,
    by: Actor,
    at: datetime,
    standard: str = "",
    exception: str = "",
    version: int | None = None,
) -> Action:
    """Keep it and put it away: on its verdict, or for a written reason where there is none. `standard` says what became the rule
    and where else it helps."""
    if action.step != Step.CHECK or action.withdrawn_at is not None:
        raise NotThisStep(
            gettext("%(reference)s can be closed once it has shipped and while its effect is checked.")
            % {"reference": action.reference}
        )
    why = clean_text(exception if isinstance(exception, str) else "", longest=improvements.LONGEST_TEXT)
    if not action.verdict and not why:
        message = gettext("There is no verdict yet. Wait for it, or write why this is closed without one.")
        raise BadInput(message, errors=(InputError("exception", message),))
    rule = clean_text(standard if isinstance(standard, str) else "", longest=improvements.LONGEST_TEXT)
    changes: dict[str, Any] = {"step": Step.ACT, "standard": rule}
    with transaction.atomic():
        if not action.verdict:
            changes["exception"] = why
            tell(action, ActionEvent.Type.EXCEPTED, {"text": why}, by=by, at=at)
        closed = change_row(action, version, **changes)
        tell(action, ActionEvent.Type.MOVED, {"to": Step.ACT, "from": action.step}, by=by, at=at)
    return closed


def reopen(action: Action, *, by: Actor, at: datetime, because: str, version: int | None = None) -> Action:
    """Take it up again: what was kept did not hold."""
    if action.step not in {Step.CHECK, Step.ACT} or action.withdrawn_at is not None:
        raise NotThisStep(
            gettext("%(reference)s is not done, so there is nothing to reopen.") % {"reference": action.reference}
        )
    with transaction.atomic():
        opened = change_row(action, version, step=Step.DO, reopened_at=at)
        tell(action, ActionEvent.Type.REOPENED, {"because": because}, by=by, at=at)
    return opened


def reopen_for(themes: Sequence[Theme], *, at: datetime) -> list[Action]:
    """The actions that should have ended these themes, which grow beyond their forecast again, go back to Do.

    Only what has taken effect can have failed; an action that is open already stays as it is.
    """
    back = {theme.pk: theme for theme in themes}
    kept = Action.objects.filter(
        step__in=[Step.CHECK, Step.ACT], withdrawn_at=None, shipped_at__lt=at, effective_from__lt=at.date()
    ).select_related("team", "stage", "owner")
    answers = dict(kept.filter(expectation__theme__in=back).values_list("pk", "expectation__theme"))
    links = ThemeAction.objects.filter(theme__in=back, action__in=kept, unlinked_at=None)
    answers = dict(links.order_by("-pk").values_list("action", "theme")) | answers
    opened = []
    for action in kept.filter(pk__in=answers).order_by("pk"):
        theme = back[answers[action.pk]]
        growth = theme.growth
        sentence = (
            f"{theme.reference} is back: {growth['count']} in {growth['window']} day{'' if growth['window'] == 1 else 's'}"
            f" where {growth['expected']:.1f} were to be expected."
        )
        try:
            with transaction.atomic():
                opened.append(reopen(action, by=PORTAL, at=at, because=sentence))
                _tell_owner(action, sentence, at=at)
        except Refused:
            continue  # somebody changed it in this very moment; the next judgement looks again
    return opened


def _tell_owner(action: Action, sentence: str, *, at: datetime) -> None:
    """Its owner, or the leads of its team where nobody owns it."""
    leads = User.objects.filter(memberships__team=action.team_id, role=Role.LEAD)
    text = (
        f"{action.reference} is open again. {sentence}\n\nLook at what is said now, and change the plan:\n"
        f"{settings.BASE_URL}/actions/{action.reference}/"
    )
    notifications.write_to_staff(
        [action.owner] if action.owner else leads,
        once=f"reopened:{action.pk}:{at:%Y-%m-%d}",
        subject=f"{action.reference} is open again",
        text=text,
    )
