"""Shared makers: the cast, and rows as the portal itself would write them."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from feedback_portal.accounts.models import Membership, Role, Team, User
from feedback_portal.accounts.permissions import Actor
from intake import receiving
from intake.connectors.base import RawItem
from intake.models import Channel, Customer, FeedbackItem
from triage.models import Analysis, Ticket

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)

_numbers = count(1)


def make_team(slug: str = "quality", **fields: Any) -> Team:
    return Team.objects.get_or_create(slug=slug, defaults={"name": slug.replace("-", " ").capitalize(), **fields})[0]


def make_person(name: str, *teams: Team, role: str = Role.AGENT) -> User:
    user, made = User.objects.get_or_create(email=f"{name.lower()}@example.com", defaults={"name": name, "role": role})
    if made:
        user.set_unusable_password()
        user.save()
    for team in teams:
        Membership.objects.get_or_create(user=user, team=team)
    return user


def actor(user: User) -> Actor:
    return Actor(user=user)


def make_channel(slug: str = "support-api", kind: str = "rest_api") -> Channel:
    return Channel.objects.get_or_create(slug=slug, defaults={"name": slug, "kind": kind})[0]


def make_customer(name: str = "Ana", **fields: Any) -> Customer:
    return Customer.objects.get_or_create(
        external_id=name.lower(), defaults={"name": name, "email": f"{name.lower()}@customers.example", **fields}
    )[0]


def make_item(
    text: str = "The lid cracked on day two",
    *,
    at: datetime = AT,
    customer: Customer | None = None,
    channel: Channel | None = None,
    **fields: Any,
) -> FeedbackItem:
    channel = channel or make_channel()
    submission = receiving.receive(channel, RawItem(f"made-{next(_numbers)}", b"{}"), at=at).submission
    return FeedbackItem.objects.create(
        submission=submission,
        channel=channel,
        customer=customer,
        text=text,
        excerpt=text[:160],
        submitted_at=at,
        received_at=at,
        may_contact=fields.pop("may_contact", customer is not None),
        **fields,
    )


def make_ticket(
    text: str = "The lid cracked on day two",
    *,
    team: Team | None = None,
    at: datetime = AT,
    item: FeedbackItem | None = None,
    **fields: Any,
) -> Ticket:
    """An undecided ticket, as the pipeline leaves it; `fields` for its item are named `item_…`."""
    about = {name.removeprefix("item_"): fields.pop(name) for name in list(fields) if name.startswith("item_")}
    item = item or make_item(text, at=at, **about)
    Analysis.objects.get_or_create(item=item, defaults={"language": "en", "sentiment": "neg"})
    explanation = {"by": "catch_all", "rule": None, "topic": None, "reason": "Nobody else.", "tried": 0, "held": []}
    defaults = {
        "due_at": at + timedelta(hours=24),
        "received_at": at,
        "created_at": at,
        "explanation": explanation,
    }
    return Ticket.objects.create(item=item, team=team or make_team(), **(defaults | fields))
