"""How a form is answered: what was wrong with it, place by place, or where to go next with a word of success."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect

from feedback_portal.refusals import BadInput


def errors_of(refused: BadInput) -> dict[str, list[str]]:
    """The sentences by field, as templates show them; what belongs to no field stands under `__all__`."""
    errors: dict[str, list[str]] = {}
    for error in refused.errors:
        errors.setdefault(error.path.split(".")[0] or "__all__", []).append(error.message)
    return errors or {"__all__": [refused.message]}


def done(request: HttpRequest, sentence: str, to: str, *args: Any) -> HttpResponseRedirect:
    messages.success(request, sentence)
    return redirect(to, *args)
