"""Who did what, as a sentence: `deed` is one with a slot for `who`, and for whatever else its event recorded."""

from collections.abc import Mapping

from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe


def plain(deed: str, who: str, told: Mapping[str, str]) -> str:
    """Without its full stop. What an older event did not record is left out."""
    return (deed % _Told(told, who=who)).strip()


def shown(deed: str, who: str, told: Mapping[str, str]) -> SafeString:
    """As a page shows it: whoever did it stands out, and names keep their own direction."""
    slots = {
        name: format_html("<bdi>{}</bdi>", value) for name, value in told.items() if not value.isdecimal() and value
    }
    numbers = {name: value for name, value in told.items() if value.isdecimal()}
    said = conditional_escape(deed) % _Told(slots | numbers, who=format_html('<b dir="auto">{}</b>', who))
    return mark_safe(said.strip())  # noqa: S308 - every slot is escaped


class _Told(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return ""
