"""A form while it is made: started, drafted beside what is published, compared, and published in a version of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count
from django.utils.translation import gettext

from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput
from intake import surveys
from intake.models import Form, FormVersion, Submission
from intake.questions import Definition, Option, Question, as_json, from_json
from intake.show_if import Condition, ShowIf

COUNTED = timedelta(days=30)


class DraftMoved(BadInput):
    code = "draft-moved"
    title = marked("Somebody was quicker")


@dataclass(frozen=True)
class Start:
    """Something to begin a form with."""

    label: str
    about: str
    definition: Definition


_WHY = Question("text", "text", "What is the main reason?", place="text", long=True)
_LOW = ShowIf((Condition("rating", "at_most", "3"),))
STARTS: Mapping[str, Start] = {
    "feedback": Start(
        marked("Open feedback"),
        marked("What happened, with a rating, a photo and how to reach them"),
        surveys.FIRST_FORM,
    ),
    "nps": Start(
        marked("Recommendation (NPS)"),
        marked("0 to 10, and the main reason"),
        Definition(
            title="Would you recommend us?",
            time_label="About a minute",
            questions=(
                Question(
                    "rating",
                    "scale",
                    "How likely are you to recommend us to a friend?",
                    scale="nps",
                    required=True,
                    low_label="Not at all likely",
                    high_label="Very likely",
                ),
                _WHY,
            ),
        ),
    ),
    "csat": Start(
        marked("Satisfaction (CSAT)"),
        marked("Five faces; whoever is not content is asked what went wrong"),
        Definition(
            title="How did we do?",
            time_label="Less than a minute",
            questions=(
                Question(
                    "rating",
                    "scale",
                    "How satisfied are you?",
                    scale="csat5",
                    faces=True,
                    required=True,
                    options=tuple(
                        Option(str(step), word)
                        for step, word in enumerate(("Bad", "Poor", "Fair", "Good", "Great"), start=1)
                    ),
                ),
                Question("text", "text", "What went wrong?", place="text", long=True, show_if=_LOW),
            ),
        ),
    ),
    "ces": Start(
        marked("Effort (CES)"),
        marked("How easy it was, 1 to 7, and the main reason"),
        Definition(
            title="How easy was it?",
            time_label="Less than a minute",
            questions=(
                Question(
                    "rating",
                    "scale",
                    "We made it easy for you.",
                    scale="ces7",
                    required=True,
                    low_label="I disagree",
                    high_label="I agree",
                ),
                _WHY,
            ),
        ),
    ),
}


def start(slug: str, *, name: str, kind: str) -> Form:
    """A new form, drafted from one of `STARTS` and seen by nobody until it is published."""
    begun = STARTS.get(kind)
    if begun is None:
        raise BadInput(gettext("Choose what the form begins with."))
    return surveys.draft_form(slug, name=name, definition=begun.definition)


def working(form: Form) -> Definition:
    """What is worked on: the draft, or what is published when nothing was changed since."""
    if form.draft is not None:
        return from_json(form.draft)
    assert form.current is not None, "a form without a draft has a version"
    return from_json(form.current.definition)


def save_draft(form: Form, definition: Definition, *, at: datetime, seen: datetime | None) -> None:
    """Keep this beside what is published. `seen` is when the draft was changed last, as far as its writer knows."""
    told = as_json(definition)
    with transaction.atomic():
        locked = Form.objects.select_for_update().get(pk=form.pk)
        before = locked.draft if locked.draft is not None else locked.current and locked.current.definition
        if locked.draft_changed_at != seen and before != told:
            raise DraftMoved(
                gettext(
                    "Somebody else saved this form in the meantime. What you typed is still here: save it again to replace"
                    " theirs, or reload the page to see theirs."
                )
            )
        if before != told:
            published = locked.current.definition if locked.current else None
            draft = None if told == published else told
            Form.objects.filter(pk=form.pk).update(draft=draft, draft_changed_at=at)
            form.draft, form.draft_changed_at = draft, at


def publish_draft(form: Form) -> FormVersion:
    """Ask what was drafted from now on."""
    return surveys.publish(form, working(form))


def discard_draft(form: Form, *, at: datetime) -> None:
    """Go back to what is published."""
    if form.current is None:
        raise BadInput(
            gettext("This form was never published, so there is nothing to go back to. Change its draft instead.")
        )
    Form.objects.filter(pk=form.pk).update(draft=None, draft_changed_at=at)
    form.draft, form.draft_changed_at = None, at


def answers_lately(*, at: datetime) -> dict[int, int]:
    """How many answers came through each form's channel in the last 30 days, by the channel's key."""
    lately = Submission.objects.filter(channel__form__isnull=False, received_at__gte=at - COUNTED, quarantine_reason="")
    return dict(lately.values("channel").annotate(count=Count("pk")).values_list("channel", "count"))
