"""What this floor adds to the rail: how many signals wait for a verdict."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from feedback_portal.accounts.models import User
from feedback_portal.accounts.permissions import actor_of
from kpis.models import Signal

MOST_COUNTED = 1000


def context(request: HttpRequest) -> dict[str, Any]:
    """Context processor; counts only when a page with a rail asks."""
    if not isinstance(getattr(request, "user", None), User):
        return {}
    return {"open_signals": SimpleLazyObject(lambda: _open(request))}


def _open(request: HttpRequest) -> str:
    count = Signal.objects.open().visible_to(actor_of(request))[:MOST_COUNTED].count()
    return f"{MOST_COUNTED - 1}+" if count >= MOST_COUNTED else str(count) if count else ""
