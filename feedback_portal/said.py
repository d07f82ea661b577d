"""A template filter, built in: `{{ explanation|said }}` says a stored sentence in the reader's language."""

from django import template

from feedback_portal import languages

register = template.Library()


@register.filter
def said(stored: object) -> str:
    return languages.said(str(stored or ""))
