"""Exports that hold no feedback: who the customers are, which is told at another place, and what stands around answers."""

from intake.connectors.presets import Preset

_COMPANIES = "This file holds companies. Import it at Customers."
_QUESTIONS = "This file holds the questions of a survey, and none of the answers. Export and import the answers."
_VISITS = "This file says when a survey was answered, and nothing of the answers. Export and import the answers."
_CONTACTS = "This file holds contacts. Import it at Customers."
# Customers who say something are feedback, whatever else is told about them.
_SAID = frozenset(
    ("text", "feedback", "comment", "comments", "review", "review_text", "verbatim", "message", "nps", "csat", "ces", "stars", "score", "survey_name", "subject")
)  # fmt: skip

PRESETS = (
    Preset(
        "companies", "Companies", refusal=_COMPANIES, unless=_SAID,
        signatures=(
            frozenset({"company_name", "company_domain_name"}), frozenset({"record_id", "company_name", "industry"}),
            frozenset({"id", "name", "industry", "annualrevenue"}), frozenset({"account_name", "annual_revenue", "industry"}),
            frozenset({"id", "name", "industry", "annual_revenue"}), frozenset({"id", "property_name", "property_industry"}),
            frozenset({"id", "name", "shared_tickets", "shared_comments"}), frozenset({"name", "domains", "health_score"}),
        ),
    ),
    Preset(
        "contacts", "Contacts", refusal=_CONTACTS, unless=_SAID,
        signatures=(
            frozenset({"record_id", "first_name", "last_name", "email"}), frozenset({"id", "property_email", "property_firstname"}),
            frozenset({"id", "firstname", "lastname", "email"}), frozenset({"id", "first_name", "last_name", "account_id"}),
            frozenset({"first_name", "last_name", "email", "account_name"}), frozenset({"id", "email", "role", "last_login_at"}),
            frozenset({"first_name", "last_name", "email", "lead_status"}),
        ),
    ),
    Preset(
        "questions", "Questions of a survey", refusal=_QUESTIONS, unless=frozenset({"response_id"}),
        signatures=(frozenset({"question_id", "recode_value"}), frozenset({"survey_id", "question_text", "question_type"})),
    ),
    Preset(
        "visits", "Responses without their answers", refusal=_VISITS, unless=_SAID,
        signatures=(frozenset({"id", "survey_id", "recorded_date", "distribution_channel", "progress"}),),
    ),
)  # fmt: skip
