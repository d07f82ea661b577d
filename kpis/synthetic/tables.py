"""From drawn rows to the portal's tables: one COPY into a staging table, then one statement a table, in one transaction.

Every table is filled from the same staged rows, so they cannot contradict each other; and every constraint is checked as it
is for anybody else: no trigger is switched off and no index dropped.
"""

import io
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import connection, transaction

from feedback_portal.accounts.models import hashed
from intake.cleaning import excerpt
from intake.models import Submission
from intake.receiving import tracking_token
from kpis.synthetic.draws import Drawn

_STAGING = """
CREATE TEMPORARY TABLE synthetic_item (
    n bigint, channel_id bigint, customer_id bigint, title text, body text, scale text, rating smallint,
    language text, sentiment text, urgency smallint, topic_id bigint, second_topic_id bigint, confidence double precision,
    proposed_team_id bigint, team_id bigint, person_id bigint, status text, resolution text, duplicate_of_n bigint,
    action_id bigint, is_assigned boolean, has_note boolean, has_reply boolean, was_reopened boolean,
    received_at timestamptz, decided_at timestamptz, ended_at timestamptz, snoozed_until timestamptz,
    excerpt text, public_id uuid, tracking_hash text, item_id bigint, ticket_id bigint
)
"""

_COPY = f"COPY synthetic_item ({', '.join(Drawn._fields)}, excerpt, public_id, tracking_hash, item_id, ticket_id) FROM STDIN"

_EVENTS = """
CREATE TEMPORARY TABLE synthetic_event AS
SELECT n, type, source, CASE WHEN source = 'person' THEN person_id END AS person_id, data, occurred_at,
    CASE WHEN is_decision THEN 1 + dense_rank() OVER (PARTITION BY n, is_decision ORDER BY occurred_at) END AS version
FROM (
    SELECT item.n, item.person_id, happened.* FROM (
        SELECT item.*, topic.slug AS topic, proposed.slug AS proposed, team.slug AS team, person.email AS email,
            original.item_id AS original_item, original.ticket_id AS original_ticket,
            item.resolution = 'duplicate' AS is_duplicate,
            item.decided_at IS NOT NULL AND item.resolution <> 'duplicate' AS is_worked,
            item.resolution NOT IN ('', 'duplicate') AS is_ended,
            coalesce(item.ended_at, %(at)s) - item.decided_at AS span
        FROM synthetic_item AS item
        JOIN triage_topic AS topic ON topic.id = item.topic_id
        JOIN accounts_team AS proposed ON proposed.id = item.proposed_team_id
        JOIN accounts_team AS team ON team.id = item.team_id
        JOIN accounts_user AS person ON person.id = item.person_id
        LEFT JOIN synthetic_item AS original ON original.n = item.duplicate_of_n
    ) AS item CROSS JOIN LATERAL (VALUES
        (true, 'received', 'customer', false, received_at, '{}'::jsonb),
        (true, 'routed', 'model', false, received_at + interval '2 s',
            jsonb_build_object('team', proposed, 'by', 'topic', 'rule', null, 'topic', topic)),
        (is_worked, 'triaged', 'person', true, decided_at, jsonb_build_object('team', team, 'kept', proposed = team,
            'proposed_by', 'topic', 'rule', null, 'topic', topic, 'actionable', resolution <> 'spam')),
        (is_worked AND team <> proposed, 'routed', 'person', true, decided_at,
            jsonb_build_object('team', team, 'from', proposed, 'by', 'person')),
        (is_assigned, 'assigned', 'person', true, decided_at + span * 0.05, jsonb_build_object('to', email)),
        (is_worked AND has_note, 'noted', 'person', true, decided_at + span * 0.1, jsonb_build_object('text', left(body, 90))),
        (action_id IS NOT NULL, 'action_linked', 'person', true, decided_at + span * 0.2, jsonb_build_object('action', action_id)),
        (is_worked AND has_reply, 'reply', 'person', true, decided_at + span * 0.4, jsonb_build_object('text', left(body, 200))),
        (status = 'waiting', 'waiting_customer', 'person', true, decided_at + span * 0.5, '{}'),
        (status = 'snoozed', 'snoozed', 'person', true, decided_at + span * 0.6, jsonb_build_object('until', snoozed_until)),
        (was_reopened, 'resolved', 'person', true, decided_at + span * 0.6,
            jsonb_build_object('resolution', resolution, 'reason', '')),
        (was_reopened, 'reopened', 'customer', true, decided_at + span * 0.8, '{}'),
        (is_ended, 'resolved', 'person', true, ended_at, jsonb_build_object('resolution', resolution, 'reason',
            CASE resolution WHEN 'declined' THEN 'It would cost more than it helps.' ELSE '' END)),
        (is_duplicate, 'merged', 'person', true, decided_at,
            jsonb_build_object('into', 'F-' || (original_ticket + 20000), 'item', original_item)),
        (status = 'closed', 'closed', 'system', true, ended_at + least(interval '14 days', (%(at)s - ended_at) / 2), '{}')
    ) AS happened (did, type, source, is_decision, occurred_at, data)
    WHERE did
) AS told
"""

_INSERTS: Mapping[str, str] = {
    "submissions": """
INSERT INTO intake_submission (id, channel_id, external_id, public_id, payload, content_type, headers, sha256, received_at,
    tracking_hash, attempts, next_attempt_at, completed_at)
SELECT item_id, channel_id, 'synthetic-' || item_id, public_id, payload, 'application/json', '{}', sha256(payload), received_at,
    tracking_hash, 1, received_at, received_at
FROM synthetic_item LEFT JOIN intake_customer AS customer ON customer.id = customer_id, LATERAL (
    SELECT convert_to(jsonb_strip_nulls(jsonb_build_object(
        'external_id', 'synthetic-' || item_id, 'title', title, 'text', body, 'language', synthetic_item.language, 'product', 'Synthetic',
        'rating', CASE WHEN scale <> '' THEN jsonb_build_object('scale', scale, 'value', rating) END,
        'customer', CASE WHEN customer_id IS NOT NULL THEN
            jsonb_build_object('external_id', customer.external_id, 'email', customer.email, 'may_contact', false) END
    ))::text, 'UTF8') AS payload
) AS made
""",
    "items": """
INSERT INTO intake_feedbackitem (submission_id, channel_id, customer_id, title, text, excerpt, declared_language, rating_scale,
    rating_value, product, product_version, url, context, may_contact, is_test, submitted_at, received_at, connector_version)
SELECT item_id, channel_id, customer_id, title, body, excerpt, language, scale, rating, 'Synthetic', '', '', '{}', false, false,
    received_at, received_at, 1
FROM synthetic_item
""",
    "arrivals": """
INSERT INTO intake_arrival (item_id, attempts, next_attempt_at, completed_at)
SELECT item_id, 1, received_at, received_at FROM synthetic_item
""",
    "analyses": """
INSERT INTO triage_analysis (item_id, language, sentiment, sentiment_score, urgency, evidence, versions, failures, analysed_at)
SELECT item_id, language, sentiment, CASE sentiment WHEN 'neg' THEN -0.7 WHEN 'neu' THEN 0 WHEN 'pos' THEN 0.8 END, urgency,
    '{}', '{"synthetic": 1}', '{}', received_at
FROM synthetic_item
""",
    "taggings": """
INSERT INTO triage_tagging (item_id, topic_id, source, confidence, evidence, made_by, created_at)
SELECT item_id, topic.id, 'model', confidence * share, jsonb_build_object('kind', 'topic', 'value', topic.slug,
    'confidence', confidence * share, 'reason', 'The text speaks of ' || topic.name || '.', 'evidence', '[]'::jsonb),
    'synthetic 1', received_at
FROM synthetic_item CROSS JOIN LATERAL (VALUES (topic_id, 1.0), (second_topic_id, 0.5)) AS tagged (key, share)
JOIN triage_topic AS topic ON topic.id = tagged.key
""",
    # As the pipeline builds it (`triage.pipeline`): title before text, in the language-neutral configuration.
    "search_texts": """
INSERT INTO triage_searchtext (item_id, document)
SELECT item_id, setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', body), 'B')
FROM synthetic_item
""",
    "tickets": """
INSERT INTO triage_ticket (id, item_id, team_id, stage_id, assignee_id, status, resolution, resolution_reason, severity, rank,
    due_at, snoozed_until, duplicate_of_id, merged_into_id, version, explanation, received_at, created_at, triaged_at, resolved_at)
SELECT item.ticket_id, item.item_id, item.team_id, team.stage_id,
    CASE WHEN item.is_assigned THEN item.person_id END, item.status, item.resolution,
    CASE item.resolution WHEN 'declined' THEN 'It would cost more than it helps.' ELSE '' END,
    4 - item.urgency, 3 - item.urgency,
    item.received_at + CASE item.urgency WHEN 3 THEN interval '1 hour' ELSE proposed.triage_hours * interval '1 hour' END,
    item.snoozed_until, original.ticket_id, original.ticket_id, coalesce(decisions.version, 1),
    jsonb_build_object('by', 'topic', 'rule', null, 'reason', 'The topic ' || topic.name || ' belongs to ' || proposed.name || '.',
        'topic', topic.slug, 'tried', 0, 'held', '[]'::jsonb),
    item.received_at, item.received_at, item.decided_at, item.ended_at
FROM synthetic_item AS item
JOIN accounts_team AS team ON team.id = item.team_id
JOIN accounts_team AS proposed ON proposed.id = item.proposed_team_id
JOIN triage_topic AS topic ON topic.id = item.topic_id
LEFT JOIN synthetic_item AS original ON original.n = item.duplicate_of_n
LEFT JOIN (SELECT n, max(version) AS version FROM synthetic_event GROUP BY n) AS decisions ON decisions.n = item.n
""",
    "links": """
INSERT INTO triage_actionlink (action_id, ticket_id, person_id, linked_at)
SELECT action_id, ticket_id, person_id, decided_at + (ended_at - decided_at) * 0.2
FROM synthetic_item WHERE action_id IS NOT NULL
""",
    "events": """
INSERT INTO triage_event (item_id, ticket_id, type, source, person_id, version, data, occurred_at, recorded_at)
SELECT item_id, CASE type WHEN 'received' THEN NULL ELSE ticket_id END, type, source, event.person_id, version, data,
    occurred_at, occurred_at
FROM synthetic_event AS event JOIN synthetic_item USING (n)
ORDER BY occurred_at
""",
}


def reserve(items: int) -> tuple[int, int]:
    """So many keys in a row for items and for tickets; the first of each. Nobody else is given them."""
    first = []
    with connection.cursor() as cursor:
        for table in ("intake_submission", "triage_ticket"):
            # One draw from the sequence moves it on by one, whatever happens between this and setting it.
            cursor.execute(
                "WITH drawn AS (SELECT nextval(pg_get_serial_sequence(%s, 'id')) AS first)"
                " SELECT first, setval(pg_get_serial_sequence(%s, 'id'), first + %s) FROM drawn",
                [table, table, items],
            )
            first.append(cursor.fetchone()[0])
    return first[0], first[1]


@transaction.atomic
def fill(rows: Iterable[Drawn], *, item: int, ticket: int, at: datetime) -> Counter[str]:
    """Write the rows to every table, all or none; how many went where. Row n gets the keys `item + n` and `ticket + n`."""
    counts: Counter[str] = Counter()
    with connection.cursor() as cursor:
        # This is a minute's work, not a page's.
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL work_mem = '128MB'")
        # The word index takes many texts at once far faster than one by one: see `tidy`.
        cursor.execute("SET LOCAL gin_pending_list_limit = '1GB'")
        cursor.execute(_STAGING)
        cursor.copy_expert(_COPY, _lines(rows, item, ticket))
        cursor.execute("ANALYZE synthetic_item")
        cursor.execute(_EVENTS, {"at": at})
        for name, statement in _INSERTS.items():
            cursor.execute(statement)
            counts[name] = cursor.rowcount
        cursor.execute("DROP TABLE synthetic_item, synthetic_event")
    return counts


@transaction.atomic
def tidy() -> None:
    """What the database does in its own time after so many new rows, done now, so that measurements are of its usual state."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
        cursor.execute("SELECT gin_clean_pending_list('search_text_document')")
        cursor.execute("ANALYZE")


def _lines(rows: Iterable[Drawn], item: int, ticket: int) -> io.StringIO:
    """The rows as COPY reads them, each with a private page of its own."""
    submission = Submission()
    lines = []
    for row in rows:
        submission.public_id = uuid.uuid4()
        tracking_hash = hashed(tracking_token(submission))
        added = (excerpt(row.body), submission.public_id, tracking_hash, item + row.n, ticket + row.n)
        lines.append("\t".join(map(_cell, (*row, *added))))
    return io.StringIO("\n".join(lines))


def _cell(value: object) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, str):
        return value.replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n")
    return value.isoformat() if isinstance(value, datetime) else str(value)
