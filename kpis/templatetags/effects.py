"""What the check of an action found, for the pages of triage: they name this tag, and import nothing from this floor."""

from typing import Any

from django import template

from kpis import effect_page
from triage.models import Action, Verdict

register = template.Library()


@register.inclusion_tag("kpis/_effect.html")
def effect(action: Action) -> dict[str, Any]:
    """The verdict in words with its chart; nothing while there is nothing to say."""
    finding = Verdict.objects.filter(action=action).first()
    return effect_page.shown(action, finding) if finding is not None else {}
