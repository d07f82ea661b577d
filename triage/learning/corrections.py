"""What people said about items, as the labels that models learn from.

Only a person teaches: what a model, a rule or a program decided is no label. Each item counts once, by the last word of a
person about it that was not taken back:

- topic: the topic a person put on it last and that still stands; "" when they took the last one off, or said none fits.
- team: the team a person routed it to, or whose people resolved it with an outcome; "" when that is the catch-all. What was
  only handed on, since a part was done or nobody had time, says nothing of where such items belong.
- urgency: the severity a person set last, as the tagger counts.

Corrections alone are, by what they are, where the portal was wrong, and who learns from them alone learns to contradict and
to be sure of nothing. So for each that was said, up to four items count that a person left as they were: of topic and team those
they accepted, of urgency those they closed with an outcome. Never more: a model that learned mostly from its own answers
would only grow surer of them.

- sentiment: what both said in a weekly audit.
- spam: what a person closed as spam, and of what people closed with an outcome ten times as many, which was none.

What two people said in a weekly audit without knowing the portal's answer (or a third who settled it) goes before all that, once
the audit is closed and its week was measured; of items with several topics only the team is learned.

Items that were erased, are tests, or were spam teach nothing. At most the newest `MOST` items are read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models.functions import Left

from intake.models import FeedbackItem
from triage.lifecycle import HANDED_ON
from triage.models.learning import Field
from triage.taggers.base import Text
from triage.words import LONGEST_TEXT

MOST = 20_000


@dataclass(frozen=True)
class Correction:
    """A person's last word about one item; `event` is where they said it, so the same word again is the same number."""

    item: int
    event: int
    label: str
    is_silent: bool = False
    """Nobody said so: a person decided about the item and left this as it was."""


def corrections(field: str, *, most: int = MOST) -> list[Correction]:
    """The newest corrections of a field, newest first, one an item."""
    with connection.cursor() as cursor:
        cursor.execute(_SAID[Field(field)], {"most": most, "handed_on": sorted(HANDED_ON)})
        return [Correction(*row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Labelled:
    """A correction with the words it is about, as taggers see them; items that are copies of each other share `group`."""

    correction: Correction
    text: Text
    group: str


def labelled(found: Sequence[Correction]) -> list[Labelled]:
    """The corrections with their items' words, in the same order; one query."""
    rows = (
        FeedbackItem.objects.filter(pk__in=[each.item for each in found])
        .annotate(beginning=Left("text", LONGEST_TEXT))
        .values_list("pk", "title", "beginning", "declared_language", "analysis__language", "wording__copy_of")
    )
    known = {row[0]: row for row in rows}
    told = []
    for each in found:
        if row := known.get(each.item):
            _, title, text, declared, language, original = row
            spoken = language if language and language != "und" else declared
            words = Text(each.item, title=title, text=text, declared_language=spoken)
            told.append(Labelled(each, words, str(original or each.item)))
    return told


_BY_A_PERSON = """
    e.person_id IS NOT NULL AND e.source = 'person'
    AND NOT EXISTS (SELECT FROM triage_event back WHERE back.undoes_id = e.id)
"""

_TEACHES = """
    JOIN intake_feedbackitem f ON f.submission_id = said.item_id AND NOT f.is_test
    JOIN intake_submission s ON s.id = said.item_id AND s.gone_at IS NULL
    WHERE NOT EXISTS (SELECT FROM triage_ticket spam WHERE spam.item_id = said.item_id AND spam.resolution = 'spam')
"""

# The newest `spoken` and then the newest `silent`.
_SPOKEN_FIRST = """
SELECT item_id, event, label, is_silent FROM (
    SELECT *, false AS is_silent FROM spoken UNION ALL SELECT *, true FROM silent
) every ORDER BY is_silent, event DESC LIMIT %(most)s
"""

# Who accepts says that the proposal is right as a whole.
_ACCEPTED = f"e.type = 'triaged' AND e.data ? 'topics' AND {_BY_A_PERSON}"

# The `audited` are (item, event, label), the `usual` what people said by deciding, the `accepted` what they left as it was; an item
# counts by the first that has it.
_SAID_THEN_ACCEPTED = f"""
, spoken AS (
    SELECT item_id, event, label FROM (
        SELECT * FROM audited UNION ALL
        SELECT * FROM usual WHERE item_id NOT IN (SELECT item_id FROM audited)
    ) every ORDER BY event DESC LIMIT %(most)s
), silent AS (
    SELECT said.item_id, said.event, said.label FROM (
        SELECT * FROM accepted WHERE item_id NOT IN (SELECT item_id FROM audited)
    ) said {_TEACHES}
    ORDER BY said.event DESC LIMIT 4 * (SELECT count(*) FROM spoken)
)
{_SPOKEN_FIRST}
"""

_TOPIC = f"""
WITH audited AS (
    SELECT said.item_id, said.event, coalesce(topic.slug, '') AS label FROM (
        SELECT DISTINCT ON (e.item_id) e.item_id, e.id AS event, e.data->'topics' AS topics FROM triage_event e
        WHERE e.type = 'audited' AND jsonb_array_length(e.data->'topics') <= 1 ORDER BY e.item_id, e.id DESC
    ) said LEFT JOIN triage_topic topic ON topic.slug = said.topics->>0 AND topic.is_active {_TEACHES}
        AND (topic.slug IS NOT NULL OR said.topics = '[]')
), said AS (
    SELECT e.item_id, max(e.id) AS event FROM triage_event e
    WHERE e.type IN ('tagged', 'untagged') AND {_BY_A_PERSON}
    GROUP BY e.item_id ORDER BY event DESC LIMIT %(most)s
), put AS (
    SELECT DISTINCT ON (e.item_id) e.item_id, topic.slug
    FROM said JOIN triage_event e ON e.item_id = said.item_id AND e.type = 'tagged' AND {_BY_A_PERSON}
    JOIN triage_topic topic ON topic.slug = e.data->>'topic' AND topic.is_active
    JOIN triage_tagging t ON t.item_id = e.item_id AND t.topic_id = topic.id
        AND t.source = 'person' AND t.removed_at IS NULL
    ORDER BY e.item_id, e.id DESC
), usual AS (
    SELECT said.item_id, said.event, coalesce(put.slug, '') AS label
    FROM said LEFT JOIN put ON put.item_id = said.item_id {_TEACHES}
        AND (put.slug IS NOT NULL OR NOT EXISTS (
            SELECT FROM triage_tagging t WHERE t.item_id = said.item_id AND t.removed_at IS NULL))
), accepted AS (
    -- With one tag, so that it is told which of several was looked at.
    SELECT DISTINCT ON (e.item_id) e.item_id, e.id AS event, topic.slug AS label
    FROM triage_event e JOIN triage_topic topic ON topic.slug = e.data->'topics'->>0 AND topic.is_active
    WHERE {_ACCEPTED} AND jsonb_array_length(e.data->'topics') = 1
        AND EXISTS (SELECT FROM triage_tagging t WHERE t.item_id = e.item_id AND t.topic_id = topic.id AND t.removed_at IS NULL)
        AND NOT EXISTS (SELECT FROM said WHERE said.item_id = e.item_id)
    ORDER BY e.item_id, e.id DESC
) {_SAID_THEN_ACCEPTED}
"""

_TEAM = f"""
WITH audited AS (
    SELECT said.item_id, said.event, CASE WHEN team.is_catch_all THEN '' ELSE team.slug END AS label FROM (
        SELECT DISTINCT ON (e.item_id) e.item_id, e.id AS event, e.data->>'team' AS team FROM triage_event e
        WHERE e.type = 'audited' AND e.data ? 'team' ORDER BY e.item_id, e.id DESC
    ) said JOIN accounts_team team ON team.slug = said.team AND team.is_active {_TEACHES}
), said AS (
    SELECT DISTINCT ON (e.item_id) e.item_id, e.id AS event, e.ticket_id FROM triage_event e
    WHERE e.type IN ('routed', 'resolved') AND {_BY_A_PERSON}
        AND (e.type = 'routed' OR e.data->>'resolution' IN ('shipped', 'answered', 'declined'))
        AND NOT EXISTS (
            SELECT FROM triage_event handed WHERE handed.ticket_id = e.ticket_id AND handed.type = 'routed'
                AND handed.data->>'because' = ANY(%(handed_on)s)
                AND NOT EXISTS (SELECT FROM triage_event back WHERE back.undoes_id = handed.id)
        )
    ORDER BY e.item_id, e.id DESC
), usual AS (
    SELECT said.item_id, said.event, CASE WHEN team.is_catch_all THEN '' ELSE team.slug END AS label
    FROM said JOIN triage_ticket ticket ON ticket.id = said.ticket_id
        JOIN accounts_team team ON team.id = ticket.team_id AND team.is_active {_TEACHES}
), accepted AS (
    SELECT DISTINCT ON (e.item_id) e.item_id, e.id AS event, team.slug AS label
    FROM triage_event e JOIN triage_ticket ticket ON ticket.id = e.ticket_id
        JOIN accounts_team team ON team.id = ticket.team_id AND team.is_active AND NOT team.is_catch_all
    WHERE {_ACCEPTED} AND NOT EXISTS (SELECT FROM said WHERE said.item_id = e.item_id)
        AND NOT EXISTS (SELECT FROM triage_ticket other WHERE other.item_id = e.item_id AND other.id <> ticket.id)
    ORDER BY e.item_id, e.id DESC
) {_SAID_THEN_ACCEPTED}
"""

# Of those who closed an item with an outcome.
_CLOSED = f"e.type = 'resolved' AND e.data->>'resolution' IN ('shipped', 'answered', 'declined') AND {_BY_A_PERSON}"

# Urgency counts from 0, can wait, to 3, danger; severity from 1, danger, to 4, a wish.
_URGENCY = f"""
WITH said AS (
    SELECT DISTINCT ON (e.item_id) e.item_id, e.id AS event, (4 - (e.data->>'value')::int)::text AS label
    FROM triage_event e WHERE e.type = 'severity' AND {_BY_A_PERSON} ORDER BY e.item_id, e.id DESC
), spoken AS (
    SELECT said.item_id, said.event, said.label FROM said {_TEACHES} ORDER BY said.event DESC LIMIT %(most)s
), left_so AS (
    SELECT DISTINCT ON (e.item_id) e.item_id, e.id AS event, a.urgency::text AS label
    FROM triage_event e JOIN triage_ticket ticket ON ticket.id = e.ticket_id
        JOIN triage_analysis a ON a.item_id = e.item_id AND ticket.severity = 4 - a.urgency
    WHERE {_CLOSED} AND NOT EXISTS (SELECT FROM said WHERE said.item_id = e.item_id)
    ORDER BY e.item_id, e.id DESC
), silent AS (
    SELECT said.item_id, said.event, said.label FROM left_so said {_TEACHES}
    ORDER BY said.event DESC LIMIT 4 * (SELECT count(*) FROM spoken)
)
{_SPOKEN_FIRST}
"""

_SENTIMENT = f"""
SELECT said.item_id, said.event, said.label FROM (
    SELECT DISTINCT ON (e.item_id) e.item_id, e.id AS event, e.data->>'sentiment' AS label FROM triage_event e
    WHERE e.type = 'audited' AND e.data ? 'sentiment' ORDER BY e.item_id, e.id DESC
) said {_TEACHES} ORDER BY said.event DESC LIMIT %(most)s
"""

_SPAM = f"""
WITH spam AS (
    SELECT DISTINCT ON (e.item_id) e.item_id, e.id AS event, 'spam' AS label
    FROM triage_event e JOIN triage_ticket ticket ON ticket.id = e.ticket_id AND ticket.resolution = 'spam'
        JOIN intake_feedbackitem f ON f.submission_id = e.item_id AND NOT f.is_test
        JOIN intake_submission s ON s.id = e.item_id AND s.gone_at IS NULL
    WHERE e.type = 'resolved' AND e.data->>'resolution' = 'spam' AND {_BY_A_PERSON}
    ORDER BY e.item_id, e.id DESC
), closed AS (
    SELECT DISTINCT ON (e.item_id) e.item_id, e.id AS event, 'customer' AS label
    FROM triage_event e WHERE {_CLOSED} ORDER BY e.item_id, e.id DESC
), honest AS (
    SELECT said.item_id, said.event, said.label FROM closed said {_TEACHES}
    ORDER BY said.event DESC LIMIT 10 * (SELECT count(*) FROM spam)
)
SELECT item_id, event, label FROM (SELECT * FROM spam UNION ALL SELECT * FROM honest) every ORDER BY event DESC LIMIT %(most)s
"""

_SAID: Mapping[Field, str] = {
    Field.TOPIC: _TOPIC,
    Field.TEAM: _TEAM,
    Field.URGENCY: _URGENCY,
    Field.SENTIMENT: _SENTIMENT,
    Field.SPAM: _SPAM,
}
