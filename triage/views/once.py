"""A press is one decision, however often it must be sent: the answer to it can be lost on its way, and the page then sends it again."""

import hashlib
import json
from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model
from django.http import HttpRequest

from feedback_portal import repeats

Made = TypeVar("Made", bound=Model)
# Where the reader wants to go on, and the page's own mark, may differ when it is sent again.
_NOT_ASKED = frozenset({"csrfmiddlewaretoken", "next"})


def once(request: HttpRequest, do: Callable[[], Made], *, of: type[Made]) -> Made:
    """The row that `do` decides about or makes; the one it made before, if this very press was sent already."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return do()
    made: list[Made] = []

    def effect() -> tuple[int, Any]:
        made.append(do())
        return 200, {"pk": made[0].pk}

    asked = [request.path, sorted((name, values) for name, values in request.POST.lists() if name not in _NOT_ASKED)]
    digest = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    _, answer, _ = repeats.once(effect, caller=f"person:{request.user.pk}", key=key, asked=digest)
    return made[0] if made else of._default_manager.get(pk=answer["pk"])
