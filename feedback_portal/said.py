"""Template filters, built in: `{{ explanation|said }}` says a stored sentence in the reader's language, `{{ label|within }}` a
label in the middle of a sentence."""

from django import template

from feedback_portal import languages

register = template.Library()


@register.filter
def said(stored: object) -> str:
    return languages.said(str(stored or ""))


@register.filter
def within(label: object) -> str:
    return languages.within(label)
