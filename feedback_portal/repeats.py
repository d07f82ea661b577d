"""A request that is sent again because its answer was lost is done once: its first answer is kept in the transaction of its effect."""

from collections.abc import Callable
from typing import Any

from django.db import transaction

from feedback_portal.accounts.models import RememberedAnswer
from feedback_portal.refusals import BadInput, Refused


class KeyReused(Refused):
    status = 422
    code = "key-reused"
    title = "The idempotency key belongs to another request"


def once(effect: Callable[[], tuple[int, Any]], *, caller: str, key: str, asked: str) -> tuple[int, Any, bool]:
    """What `effect` answers as (status, body that fits JSON), and whether it was done just now; at most once per caller and key.

    `asked` tells what was asked for: the same key with something else raises KeyReused. A second request while the first is
    still running waits for it on the unique constraint and then reads its answer. What raises is not remembered.
    """
    if not 1 <= len(key) <= 255 or not key.isprintable():
        raise BadInput("The Idempotency-Key must have 1 to 255 printable characters.")
    with transaction.atomic():
        # The row is written first: a rival with the same key waits here until our transaction ends.
        row, is_first = RememberedAnswer.objects.get_or_create(
            caller=caller, key=key, defaults={"request_hash": asked, "status": 0, "body": {}}
        )
        if is_first:
            row.status, row.body = effect()
            row.save(update_fields=["status", "body"])
    if row.request_hash != asked:
        raise KeyReused("This Idempotency-Key was used for another request. Choose a new key.")
    return row.status, row.body, is_first
