"""Who did what, as a page shows it: `deed` is a sentence with a slot for `who`, and for whatever else its event recorded."""

from collections.abc import Mapping

from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from triage.deeds import Slots


def shown(deed: str, who: str, told: Mapping[str, str]) -> SafeString:
    """As a page shows it: whoever did it stands out, and names keep their own direction."""
    slots = {
        name: format_html("<bdi>{}</bdi>", value) for name, value in told.items() if not value.isdecimal() and value
    }
    numbers = {name: value for name, value in told.items() if value.isdecimal()}
    said = conditional_escape(deed) % Slots(slots | numbers, who=format_html('<b dir="auto">{}</b>', who))
    return mark_safe(said.strip())  # noqa: S308 - every slot is escaped
