"""Conversations: a new item is joined to what its sender said before, and to nobody else's words.

Whoever writes a mail can name any other as the one it answers. So a claim joins only what the same customer said through
the same channel; of any other, staff are told that it may belong there.
"""

from collections.abc import Mapping, Sequence

from django.db import connection

from feedback_portal.codes import customer_code
from intake.models import FeedbackItem

POSSIBLY = "possibly belongs to"
# How far back in one conversation somebody's own words are looked for.
_MOST = 200


def join(items: Sequence[FeedbackItem], answers: Mapping[int, str]) -> None:
    """Let new items follow what they answer: `answers` holds the sender's id of it by key. One question and at most one
    UPDATE, however many they are."""
    claims = [item for item in items if item.thread or answers.get(item.pk)]
    found = _answered(claims, answers) if claims else {}
    joined = []
    for item in claims:
        if item.pk not in found:
            continue
        key, customer = found[item.pk]
        if customer is not None and customer == item.customer_id:
            item.follows_id = key
        else:
            item.context = {**item.context, POSSIBLY: customer_code(key)}
            # The conversation of somebody known is theirs alone.
            item.thread = item.thread if customer is None else ""
        joined.append(item)
    if joined:
        FeedbackItem.objects.bulk_update(joined, ["follows", "thread", "context"])


def _answered(claims: Sequence[FeedbackItem], answers: Mapping[int, str]) -> dict[int, tuple[int, int | None]]:
    """What each claim leads to and whose it is: words of the same customer where there are any, the latest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (given.key) given.key, near.key, near.customer_id"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[])"
            "  AS given (key, channel_id, customer_id, thread, answers)"
            " CROSS JOIN LATERAL ("
            "  SELECT item.submission_id AS key, item.customer_id, TRUE AS is_named FROM intake_submission AS named"
            "  JOIN intake_feedbackitem AS item ON item.submission_id = named.id"
            "  WHERE given.answers <> '' AND named.channel_id = given.channel_id AND named.external_id = given.answers"
            "  UNION ALL (SELECT item.submission_id, item.customer_id, FALSE FROM intake_feedbackitem AS item"
            "   WHERE given.thread <> '' AND item.channel_id = given.channel_id AND item.thread = given.thread"
            "   AND item.submission_id < given.key ORDER BY item.submission_id DESC LIMIT %s)"
            " ) AS near WHERE near.key < given.key"
            " ORDER BY given.key, (near.customer_id IS NOT DISTINCT FROM given.customer_id) DESC, near.is_named DESC,"
            "  near.key DESC",
            [
                [item.pk for item in claims],
                [item.channel_id for item in claims],
                [item.customer_id for item in claims],
                [item.thread for item in claims],
                [answers.get(item.pk, "").replace("\x00", "") for item in claims],
                _MOST,
            ],
        )
        return {key: (near, customer) for key, near, customer in cursor.fetchall()}
