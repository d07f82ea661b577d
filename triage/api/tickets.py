"""Tickets for programs: found, read with the whole reason for where they are, and decided by the verbs of people."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feedback_portal.accounts.models import Scope
from feedback_portal.accounts.permissions import Actor
from feedback_portal.api import caller, page, remembering
from feedback_portal.refusals import BadInput, InputError
from intake.models import FeedbackItem
from triage import decisions, finding
from triage.api.records import SUGGESTED, suggested
from triage.api.shapes import EVENT, PAGING, PROBLEMS, QUERY, TICKET, event_told, listed, ticket_told, time_told
from triage.finding import search
from triage.lifecycle import WhyNot, WhyRouted
from triage.models import Analysis, Event, Mention, Tagging, Ticket
from triage.routing import told
from triage.routing.reasons import reason_of
from triage.routing.why import why

ORDER = ("-received_at", "-id")
MOST_EVENTS = 500
_JOINED = ("team", "stage", "assignee", "duplicate_of", "item__submission")
_BODIES = ("item__text", "item__context", "item__submission__payload", "item__submission__headers", "explanation")
_ARGUMENTS: Mapping[str, tuple[type, str]] = {
    "team": (str, "a text"), "because": (str, "a text"), "note": (str, "a text"), "assignee": (str, "a text"), "topic": (str, "a text"),
    "topics": (list, "a list of texts"), "value": (int, "a number"), "text": (str, "a text"), "wait": (bool, "true or false"),
    "until": (str, "a time"), "resolution": (str, "a text"), "reason": (str, "a text"), "tell": (bool, "true or false"),
    "original": (str, "a text"), "other": (str, "a text"), "awaits": (str, "a text"), "more": (int, "a number"),
    "action": (str, "a text"), "act": (int, "a number"),
}  # fmt: skip
DECISION = inline_serializer(
    "Decision",
    {
        "verb": serializers.ChoiceField(choices=sorted(decisions.VERBS)),
        "version": serializers.IntegerField(
            required=False, help_text="What you saw; a ticket changed since answers 409."
        ),
        "team": serializers.SlugField(required=False, help_text="route, split"),
        "note": serializers.CharField(required=False, help_text="route, split"),
        "because": serializers.ChoiceField(
            choices=[*WhyRouted.choices, *WhyNot.choices],
            required=False,
            help_text=f"route: why it goes elsewhere ({', '.join(WhyRouted.values)});"
            f" dismiss: why not ({', '.join(WhyNot.values)})",
        ),
        "assignee": serializers.CharField(required=False, help_text="assign; empty lets it go"),
        "topic": serializers.SlugField(required=False, help_text="tag, untag"),
        "topics": serializers.ListField(child=serializers.SlugField(), required=False, help_text="tags"),
        "value": serializers.IntegerField(required=False, help_text="severity, 1 to 4"),
        "text": serializers.CharField(
            required=False, help_text="note, reply; split: the part of the message that is meant"
        ),
        "wait": serializers.BooleanField(required=False, help_text="reply: rest until the customer answers"),
        "until": serializers.DateTimeField(required=False, help_text="snooze"),
        "awaits": serializers.ChoiceField(
            required=False, choices=["reply", "reports", "ship"], help_text="snooze until something happens"
        ),
        "more": serializers.IntegerField(required=False, help_text="snooze until so many more say the same"),
        "action": serializers.CharField(required=False, help_text="snooze until this action ships"),
        "act": serializers.IntegerField(required=False, help_text="undo: the version that the act made; else the last"),
        "resolution": serializers.CharField(required=False, help_text="resolve"),
        "reason": serializers.CharField(required=False, help_text="resolve, reopen"),
        "tell": serializers.BooleanField(required=False, help_text="resolve: write to the customer"),
        "original": serializers.CharField(required=False, help_text="merge"),
        "other": serializers.CharField(required=False, help_text="not_same"),
    },
)
FULL = inline_serializer(
    "TicketInFull",
    {
        **TICKET,
        "suggestion": inline_serializer("Suggested", SUGGESTED, allow_null=True),
        "explanation": serializers.DictField(),
        "events": inline_serializer("EventOfTicket", EVENT, many=True),
    },
)


class TicketsView(APIView):
    """Every ticket the key may see, newest first; `q` searches as the workbench does."""

    scopes = {"GET": Scope.TICKETS_READ}

    @extend_schema(
        operation_id="tickets_list", parameters=[QUERY, *PAGING], responses={200: listed("Ticket", TICKET), **PROBLEMS}
    )
    def get(self, request: Request) -> Response:
        actor = caller(request)
        query = search.parse(request.query_params.get("q", ""))
        asker = finding.asker_of(actor.user, timezone.now())
        rows = Ticket.objects.visible_to(actor).filter(finding.condition(query, asker))
        return page(request, rows.select_related(*_JOINED).defer(*_BODIES), order=ORDER, show=ticket_told)


class TicketView(APIView):
    """One ticket, with why it is where it is: tags with their evidence, and every rule tried."""

    scopes = {"GET": Scope.TICKETS_READ}

    @extend_schema(operation_id="tickets_read", responses={200: FULL, **PROBLEMS})
    def get(self, request: Request, reference: str) -> Response:
        actor = caller(request)
        return Response(_in_full(decisions.find(reference, by=actor), by=actor))


class DecisionsView(APIView):
    """Decide. A stale `version` answers 409 with the current ticket."""

    scopes = {"GET": Scope.TICKETS_READ, "POST": Scope.TICKETS_WRITE}

    @extend_schema(operation_id="decisions_list", responses={200: listed("Event", EVENT), **PROBLEMS})
    def get(self, request: Request, reference: str) -> Response:
        return Response({"results": _events(decisions.find(reference, by=caller(request))), "next": None})

    @extend_schema(
        operation_id="decisions_create",
        request=DECISION,
        responses={200: inline_serializer("TicketDecided", TICKET), **PROBLEMS},
    )
    def post(self, request: Request, reference: str) -> Response:
        actor, at = caller(request), timezone.now()
        verb, version, arguments = _decision(request.data)

        def effect() -> tuple[int, Any]:
            ticket = decisions.decide(reference, verb, by=actor, at=at, version=version, **arguments)
            return 200, ticket_told(Ticket.objects.select_related(*_JOINED).get(pk=ticket.pk))

        return remembering(request, effect)


def _decision(given: Any) -> tuple[str, int | None, dict[str, Any]]:
    if not isinstance(given, dict) or not isinstance(given.get("verb"), str):
        raise BadInput('Send an object with a verb, as in {"verb": "route", "team": "quality", "version": 3}.')
    errors = []
    version = given.get("version")
    if version is not None and (type(version) is not int or not 0 < version < 2**31):
        errors.append(InputError("version", "Send the number you read."))
    arguments = {name: value for name, value in given.items() if name not in {"verb", "version"}}
    for name, value in arguments.items():
        known = _ARGUMENTS.get(name)
        if known is None:
            errors.append(InputError(name, "There is no such field."))
        elif type(value) is not known[0] or (
            isinstance(value, list) and not all(isinstance(each, str) for each in value)
        ):
            errors.append(InputError(name, f"Send {known[1]} here."))
    if errors:
        raise BadInput("Correct the places named in `errors` and send it again.", errors=tuple(errors))
    return given["verb"], version, arguments


def _in_full(found: Ticket, *, by: Actor) -> dict[str, Any]:
    ticket = Ticket.objects.select_related(*_JOINED).get(pk=found.pk)
    told = _explanation(ticket, by=by, at=timezone.now())
    return ticket_told(ticket) | {
        "suggestion": suggested(ticket, at=timezone.now()),
        "explanation": told,
        "events": _events(ticket),
    }


def _explanation(ticket: Ticket, *, by: Actor, at: datetime) -> dict[str, Any]:
    """Why it is here: the stored reason, the tags with their evidence, and every rule as it stands now."""
    about = FeedbackItem.objects.select_related("channel", "customer__account", "analysis").get(pk=ticket.item_id)
    analysis: Analysis | None = getattr(about, "analysis", None)
    taggings = list(Tagging.objects.filter(item=about).select_related("topic").order_by("-confidence", "pk"))
    standing = [tagging for tagging in taggings if tagging.removed_at is None]
    found = why(ticket, about, analysis, standing, by=by, at=at) if analysis else None
    mentions = list(Mention.objects.filter(item=about).order_by("kind", "-confidence", "key"))
    return {
        "by": ticket.explanation.get("by"),
        "rule": ticket.explanation.get("rule"),
        "topic": ticket.explanation.get("topic"),
        "reason": reason_of(ticket.explanation) or None,
        "language": analysis.language if analysis else None,
        "sentiment": analysis.sentiment if analysis else None,
        "urgency": analysis.urgency if analysis else None,
        "evidence": analysis.evidence if analysis else {},
        "tags": [
            {
                "topic": tagging.topic.slug,
                "source": tagging.source,
                "made_by": tagging.made_by,
                "confidence": tagging.confidence,
                "evidence": tagging.evidence,
                "is_removed": tagging.removed_at is not None,
            }
            for tagging in taggings
        ],
        "entities": [
            {"kind": mention.kind, "value": mention.value, "confidence": mention.confidence} for mention in mentions
        ],
        "model": ticket.explanation.get("model"),
        "routed_at": time_told(found.routed_at) if found else None,
        "words": [{"part": part, "start": start, "end": end} for part, start, end in found.marks] if found else [],
        "neighbours": [asdict(each) for each in found.neighbours] if found else [],
        "neighbours_hidden": found.others if found else 0,
        "runners_up": [{"team": team, "probability": sure} for team, sure in found.runners_up] if found else [],
        "would_change": list(found.changes) if found else [],
        "today": found.today if found else "",
        "rules_as_of": time_told(at),
        "rules": [told(*tried) | {"is_winner": tried[0].name == found.rule} for tried in found.rules] if found else [],
    }


def _events(ticket: Ticket) -> list[dict[str, Any]]:
    """The newest events of the ticket, oldest first."""
    events = Event.objects.filter(ticket=ticket).select_related("person", "key").order_by("-id")[:MOST_EVENTS]
    return [event_told(event) for event in reversed(events)]
