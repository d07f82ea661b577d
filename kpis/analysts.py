"""A way out for analysts: views in a schema of their own, read only, each column described where psql and BI tools show it.

Nothing in them says who said something: no names, no addresses, no texts. They are made by `manage.py analyst_views` and not
by a migration, for a view holds fast the columns it reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db import connection, transaction

from feedback_portal.refusals import BadInput

SCHEMA: Final = "analyst"


@dataclass(frozen=True)
class View:
    about: str
    body: str
    columns: Mapping[str, str]


VIEWS: Final[Mapping[str, View]] = {
    "items": View(
        "One row for each thing that was said, without tests.",
        """
SELECT item.submission_id AS item, item.received_at, item.submitted_at, channel.slug AS channel, nullif(item.product, '') AS product,
    nullif(item.product_version, '') AS product_version, coalesce(nullif(analysis.language, ''), nullif(item.declared_language, '')) AS language,
    nullif(analysis.sentiment, '') AS sentiment, nullif(item.rating_scale, '') AS rating_scale, item.rating_value, item.customer_id AS customer,
    account.segment, account.value AS account_value, member.theme_id AS theme,
    ARRAY(SELECT topic.slug FROM triage_tagging AS tagging JOIN triage_topic AS topic ON topic.id = tagging.topic_id
        WHERE tagging.item_id = item.submission_id AND tagging.removed_at IS NULL ORDER BY topic.slug) AS topics
FROM intake_feedbackitem AS item
JOIN intake_channel AS channel ON channel.id = item.channel_id
LEFT JOIN triage_analysis AS analysis ON analysis.item_id = item.submission_id
LEFT JOIN intake_customer AS customer ON customer.id = item.customer_id
LEFT JOIN intake_account AS account ON account.id = customer.account_id
LEFT JOIN triage_thememember AS member ON member.item_id = item.submission_id
WHERE NOT item.is_test
""",
        {
            "item": "Number of the item; joins tickets and events",
            "received_at": "When it reached the portal; KPIs count by this",
            "submitted_at": "When it was said, by the customer's clock",
            "channel": "Short name of the channel it came by",
            "product": "The product it is about, null where nobody said",
            "product_version": "Version or batch of the product",
            "language": "As read, or else as declared, ISO 639",
            "sentiment": "pos, neu, neg, or null where it is not clear",
            "rating_scale": "Scale of the rating: csat5, nps, stars5, ces7",
            "rating_value": "The rating on its scale",
            "customer": "Number of the customer, null where unknown; never a name",
            "segment": "Segment of the customer's company",
            "account_value": "What that company is worth a year, in its currency",
            "theme": "Number of the theme it is in",
            "topics": "Short names of its topics",
        },
    ),
    "tickets": View(
        "One row for each team's work on an item.",
        """
SELECT 'F-' || (ticket.id + 20000) AS reference, ticket.item_id AS item, team.slug AS team, stage.slug AS stage, ticket.status,
    nullif(ticket.resolution, '') AS resolution, ticket.severity, ticket.received_at, ticket.due_at, ticket.triaged_at, ticket.resolved_at
FROM triage_ticket AS ticket
JOIN accounts_team AS team ON team.id = ticket.team_id
LEFT JOIN accounts_stage AS stage ON stage.id = ticket.stage_id
JOIN intake_feedbackitem AS item ON item.submission_id = ticket.item_id
WHERE NOT item.is_test
""",
        {
            "reference": "As people call it, F-20493",
            "item": "Number of the item",
            "team": "Short name of the team that has it now",
            "stage": "Production stage where the cause sits",
            "status": "new, open, waiting, snoozed, resolved, closed",
            "resolution": "shipped, answered, declined, duplicate, spam, not_reproducible, or null while open",
            "severity": "1 safety to 4 wish",
            "received_at": "When its item arrived",
            "due_at": "When the first decision was due",
            "triaged_at": "When it was first decided",
            "resolved_at": "When it was last resolved, null while open",
        },
    ),
    "events": View(
        "What happened, append-only; what was taken back is left out.",
        """
SELECT event.id AS event, event.item_id AS item, CASE WHEN event.ticket_id IS NULL THEN NULL ELSE 'F-' || (event.ticket_id + 20000) END AS ticket,
    event.type, event.source, event.occurred_at, event.recorded_at
FROM triage_event AS event
WHERE event.type <> 'undone' AND NOT EXISTS (SELECT FROM triage_event AS back WHERE back.undoes_id = event.id)
""",
        {
            "event": "Number of the event",
            "item": "Number of the item",
            "ticket": "Reference of the ticket, null for what concerns the item",
            "type": "received, receipt, reply, triaged, routed, merged, resolved, reopened, customer_told and so on",
            "source": "person, rule, model, system, customer; never which person",
            "occurred_at": "When it happened",
            "recorded_at": "When the portal learned of it; a report as of T reads both up to T",
        },
    ),
    "measurements": View(
        "What is measured: whole numbers by day of arrival and slice. A slice of nulls is everything; add days, never slices.",
        """
SELECT measured.kpi, measured.definition_version, measured.day, measured.days, team.slug AS team, channel.slug AS channel, stage.slug AS stage,
    measured.parts, measured.counted_at
FROM kpis_measurement AS measured
LEFT JOIN accounts_team AS team ON team.id = measured.team_id
LEFT JOIN intake_channel AS channel ON channel.id = measured.channel_id
LEFT JOIN accounts_stage AS stage ON stage.id = measured.stage_id
""",
        {
            "kpi": "Short name of the KPI, as in the API",
            "definition_version": "By which version of its definition",
            "day": "First day, of the organisation's calendar",
            "days": "How many days it covers; rows of several days are of KPIs that do not add up",
            "team": "Null for all teams together",
            "channel": "Null for all channels together",
            "stage": "Null for all stages together",
            "parts": "Named whole numbers; the definition says what they are",
            "counted_at": "When they were counted",
        },
    ),
    "definitions": View(
        "From when on each KPI was counted by which definition; measurements and reports name the version.",
        """
SELECT defined.kpi, defined.version, defined.valid_from, defined.name, defined.definition, defined.numerator, defined.denominator,
    defined.unit, nullif(defined.change, '') AS change
FROM kpis_definitionversion AS defined
""",
        {
            "kpi": "Short name of the KPI, as in the API",
            "version": "Number of the version; joins measurements and reports by definition_version",
            "valid_from": "Since when this portal counts by it",
            "name": "What the KPI is called",
            "definition": "What it means, in English",
            "numerator": "Which items are counted above",
            "denominator": "Which items are counted below",
            "unit": "items, points, %, hours, or of, for a mean",
            "change": "What the version changed and why, null for the first",
        },
    ),
    "reports": View(
        "Every digit of every frozen report; no row of it ever changes.",
        """
SELECT report.code AS report, report.title, report.first_day, report.last_day, report.as_of, report.sha256, line.kpi, line.definition_version,
    nullif(line.split, '') AS split, nullif(line.of, '') AS "of", line.value, line.low, line.high, line.numerator, line.denominator,
    nullif(line.note, '') AS note
FROM kpis_reportrow AS line JOIN kpis_report AS report ON report.id = line.report_id
""",
        {
            "report": "Number of the report, as in R-2026-12-0f3a9c1e",
            "title": "What whoever froze it called it",
            "first_day": "First day, of the organisation's calendar",
            "last_day": "Last day, included",
            "as_of": "What had happened and was known by then is counted",
            "sha256": "Over all digits of the report; its page says whether they still give it",
            "kpi": "Short name of the KPI",
            "definition_version": "By which version of its definition",
            "split": "week, team, channel or stage; null for the whole",
            "of": "Which week, team, channel or stage",
            "value": "Null where it is not defined; note then says why",
            "low": "Lower limit of the 95% interval",
            "high": "Upper limit of the 95% interval",
            "numerator": "Items above",
            "denominator": "Items below",
            "note": "Why there is no value, or what to know about it",
        },
    ),
    "signals": View(
        "Early warnings and what they turned out to be.",
        """
SELECT 'S-' || (signal.id + 100) AS reference, signal.kind, signal.key AS series, signal.name, team.slug AS team, signal.first_week, signal.last_week,
    signal.count, signal.expected, signal.p, signal.customers, signal.value, nullif(signal.verdict, '') AS verdict, signal.raised_at, signal.verdict_at
FROM kpis_signal AS signal LEFT JOIN accounts_team AS team ON team.id = signal.team_id
""",
        {
            "reference": "As people call it, S-112",
            "kind": "rise, voice, number, mix",
            "series": "Which series left its limits",
            "name": "What the series is called",
            "team": "Whom it concerns most",
            "first_week": "Monday of the first week",
            "last_week": "Monday of the last week it was seen in",
            "count": "Items in the weeks that left the limits",
            "expected": "How many were to be expected",
            "p": "Chance of so many where nothing changed, before correction",
            "customers": "Distinct customers",
            "value": "A year's value of the companies with an open item",
            "verdict": "real, known, noise, or null while open",
            "raised_at": "When it was raised",
            "verdict_at": "When it got its verdict",
        },
    ),
}


@transaction.atomic
def create() -> list[str]:
    """Make all views anew; the names of what was made. Grants on them are lost with the old ones."""
    drop()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {SCHEMA}")
        for name, view in VIEWS.items():
            cursor.execute(f"CREATE VIEW {SCHEMA}.{name} AS {view.body}")
            cursor.execute(f"COMMENT ON VIEW {SCHEMA}.{name} IS %s", [view.about])
            for column, about in view.columns.items():
                cursor.execute(f'COMMENT ON COLUMN {SCHEMA}.{name}."{column}" IS %s', [about])
    return [f"{SCHEMA}.{name}" for name in VIEWS]


def let_read(role: str) -> None:
    """The role may read the views and nothing else that it could not read before. Raises BadInput where there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", [role])
        if cursor.fetchone() is None:
            raise BadInput(f"There is no role {role!r} in this database. Make it first: docs/analysts.md says how.")
        named = connection.ops.quote_name(role)
        cursor.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {named}")
        cursor.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO {named}")


def drop() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
