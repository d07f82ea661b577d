"""What is done about themes: which ones ask for a plan, and a plan begun where the need was seen."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from feedback_portal.accounts.permissions import Actor
from triage import decisions, themes
from triage.improving import improvements, plans
from triage.models import Action, Theme, ThemeAction


def begin(
    *, by: Actor, at: datetime, theme: str = "", topic: str = "", ticket: str = "", product: str = "", **details: Any
) -> Action:
    """A new plan from wherever the need was seen: a theme, a topic (as of a bar of a chart), a ticket. It is linked, and what it
    should move is filled in as far as that says it."""
    found = themes.find(theme, by=by) if theme else None
    said = decisions.find(ticket, by=by) if ticket else None
    with transaction.atomic():
        made = improvements.create(by=by, at=at, **details)
        if found is not None:
            themes.decide(found.reference, "link", by=by, at=at, action=made.reference)
        if said is not None:
            improvements.link(made, said, by=by, at=at)
        if found is not None or topic:
            plans.expect(made, by=by, at=at, product=product, theme=theme, topic="" if found is not None else topic)
    return improvements.find(made.reference, by=by)


def suggested(*, by: Actor, most: int = 5) -> list[Theme]:
    """Themes that grow, or came back after a fix, and have no action under way: the next plan is probably one of these."""
    answered = ThemeAction.objects.filter(
        theme=OuterRef("pk"), unlinked_at=None, action__withdrawn_at=None, action__step__in=["plan", "do"]
    )
    growing = Theme.objects.living().visible_to(by).filter(state__in=[Theme.State.GROWING, Theme.State.REGRESSED])
    rows = growing.filter(~Exists(answered)).select_related("topic__team")
    return list(rows.order_by("-grew_at", "-id")[:most])
