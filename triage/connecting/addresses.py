"""Which addresses are written to: public ones that nobody reads along, and what whoever runs the portal listed."""

from django.utils.translation import gettext

from feedback_portal import outgoing


def why_not(url: str) -> str:
    """Why nothing is sent to this address, as a sentence; empty where it may be."""
    try:
        is_listed = outgoing.require_callable(url)
    except outgoing.AddressRefused as refused:
        return refused.message
    if is_listed or url.lower().startswith("https://"):
        return ""
    return gettext("Write an address that begins with https://, so that nobody reads along.")
