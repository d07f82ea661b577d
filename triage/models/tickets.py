"""One team's work on one item."""

from collections.abc import Iterable
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now
from django.utils.translation import gettext

from feedback_portal.accounts.models import Stage, Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import ticket_code, ticket_number
from feedback_portal.refusals import NotFound
from intake.models import FeedbackItem
from triage.lifecycle import OPEN, Resolution, Status


def among(keys: Iterable[int]) -> RawSQL:
    """For `pk__in` of a thousand keys: one array, where naming each as a parameter takes longer than the query itself."""
    return RawSQL("SELECT unnest(%s::bigint[])", [list(keys)])


class TicketQuerySet(models.QuerySet["Ticket"]):
    def visible_to(self, actor: Actor) -> Self:
        """Tickets that exist for this actor; everything else answers 404."""
        return self if actor.sees_everything else self.filter(team__in=actor.team_ids)

    def for_deciding(self) -> Self:
        """With everything that a decision looks at."""
        return self.select_related("team", "stage", "assignee", "item__channel", "item__customer")

    def with_shared_teams(self) -> list["Ticket"]:
        """Many of them with their teams, of which each is one object for all its tickets."""
        tickets = list(self)
        teams = Team.objects.in_bulk({ticket.team_id for ticket in tickets})
        for ticket in tickets:
            ticket.team = teams[ticket.team_id]
        return tickets

    def called(self, reference: str, *, by: Actor) -> "Ticket":
        """The ticket of this reference, if it exists for this actor; `NotFound` else."""
        number = ticket_number(reference)
        ticket = self.for_deciding().visible_to(by).filter(pk=number).first() if number else None
        if ticket is None:
            raise NotFound(
                gettext("There is no such ticket, or it belongs to a team you are not in. Its team can tell you more.")
            )
        return ticket

    def open(self) -> Self:
        return self.filter(status__in=OPEN)

    def undecided(self) -> Self:
        return self.filter(status=Status.NEW)

    def for_team(self, team: Team) -> Self:
        return self.filter(team=team)

    def in_queue_order(self) -> Self:
        """Safety first, then by urgency, then what is due, then the oldest; `QUEUE_ORDER` as columns."""
        return self.order_by(*QUEUE_ORDER)


QUEUE_ORDER = ("rank", "due_at", "id")


class Ticket(models.Model):
    """Changed only through `triage.decisions`, by compare-and-set on `version`."""

    # Indexed by what holds them unique and by the queues, which begin with them.
    item = models.ForeignKey(FeedbackItem, on_delete=models.PROTECT, related_name="tickets", db_index=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="tickets", db_index=False)
    stage = models.ForeignKey(Stage, on_delete=models.SET_NULL, null=True, blank=True, related_name="tickets")
    assignee = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="tickets")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.NEW, db_default=Status.NEW)
    resolution = models.CharField(max_length=16, choices=Resolution.choices, blank=True, default="", db_default="")
    # A reason the customer can read; required when declining.
    resolution_reason = models.TextField(blank=True, default="", db_default="")
    severity = models.PositiveSmallIntegerField(default=3, db_default=3)  # 1 safety … 4 wish
    # 0 safety, 1 high, 2 normal, 3 low, 4 looks like spam: the first column of the queue's order.
    rank = models.PositiveSmallIntegerField(default=2, db_default=2)
    due_at = models.DateTimeField()
    snoozed_until = models.DateTimeField(null=True, blank=True)
    duplicate_of = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="duplicates")
    # What it was merged into, which may be merged in turn; `duplicate_of` is where that leads. See `triage.merging`.
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="merged", db_index=False
    )
    version = models.PositiveIntegerField(default=1, db_default=1)
    # Why it is here, as it was when it was routed (`triage.routing.Routing.explanation`), or who sent it here since:
    # {"by": rule|spam|model|topic|catch_all|person, "rule", "topic", "reason", "tried", "held", "topics", "model", …}.
    explanation = models.JSONField(default=dict)
    received_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())
    triaged_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    objects = TicketQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "team"], name="ticket_once_per_team"),
            models.CheckConstraint(
                condition=Q(status__in=[Status.RESOLVED, Status.CLOSED])
                & ~Q(resolution="")
                & Q(resolved_at__isnull=False)
                | ~Q(status__in=[Status.RESOLVED, Status.CLOSED]) & Q(resolution="") & Q(resolved_at=None),
                name="ticket_resolved_has_resolution",
            ),
            models.CheckConstraint(
                condition=~Q(resolution=Resolution.DECLINED) | ~Q(resolution_reason=""),
                name="ticket_declined_has_reason",
            ),
            models.CheckConstraint(
                condition=Q(status=Status.SNOOZED, snoozed_until__isnull=False)
                | ~Q(status=Status.SNOOZED) & Q(snoozed_until=None),
                name="ticket_snoozed_has_time",
            ),
            models.CheckConstraint(
                condition=Q(resolution=Resolution.DUPLICATE, duplicate_of__isnull=False)
                | ~Q(resolution=Resolution.DUPLICATE) & Q(duplicate_of=None),
                name="ticket_duplicate_has_original",
            ),
            models.CheckConstraint(condition=~Q(duplicate_of=F("id")), name="ticket_not_its_own_duplicate"),
            models.CheckConstraint(
                condition=Q(duplicate_of=None, merged_into=None)
                | Q(duplicate_of__isnull=False, merged_into__isnull=False),
                name="ticket_merged_into_leads_to_original",
            ),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="ticket_has_known_status"),
            models.CheckConstraint(condition=Q(severity__gte=1, severity__lte=4), name="ticket_has_known_severity"),
            models.CheckConstraint(condition=Q(rank__lte=4), name="ticket_has_known_rank"),
        ]
        indexes = [
            # The queue of a team and the queue of everybody; only what is still to decide is in them.
            models.Index(
                fields=["team", "rank", "due_at", "id"], name="ticket_team_queue", condition=Q(status=Status.NEW)
            ),
            models.Index(fields=["rank", "due_at", "id"], name="ticket_whole_queue", condition=Q(status=Status.NEW)),
            models.Index(
                fields=["assignee", "rank", "due_at", "id"],
                name="ticket_own_queue",
                condition=Q(status__in=sorted(OPEN)),
            ),
            models.Index(fields=["team", "status", "-received_at", "-id"], name="ticket_by_team_and_status"),
            models.Index(fields=["-received_at", "-id"], name="ticket_by_arrival"),
            models.Index(fields=["merged_into"], name="ticket_merged", condition=Q(merged_into__isnull=False)),
            models.Index(fields=["snoozed_until"], name="ticket_waking", condition=Q(status=Status.SNOOZED)),
            models.Index(fields=["stage", "status"], name="ticket_by_stage", condition=Q(status__in=sorted(OPEN))),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        return ticket_code(self.pk)

    @property
    def is_open(self) -> bool:
        return self.status in OPEN
