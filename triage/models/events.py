"""One thing decided or done, by whom, when; appended and never changed."""

from collections.abc import Iterable
from datetime import datetime

from django.db import connection, models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy

from feedback_portal.accounts.models import ApiKey, User
from feedback_portal.pending import PendingQuerySet, PendingWork, due_index
from intake.models import FeedbackItem
from triage.models.tickets import Ticket


class Event(models.Model):
    """`occurred_at` is when it happened, `recorded_at` when we learned of it; a report as of T reads both up to T.

    The database itself refuses to change or delete a row, except while `privacy` erases a person.
    """

    class Type(models.TextChoices):
        RECEIVED = "received", gettext_lazy("received")
        CHANGED = "changed", gettext_lazy("changed what they said")
        RECEIPT = "receipt", gettext_lazy("receipt sent")
        REPLY = "reply", gettext_lazy("replied")
        TRIAGED = "triaged", gettext_lazy("triaged")
        ROUTED = "routed", gettext_lazy("routed")
        REEVALUATED = "reevaluated", gettext_lazy("looked at it again")
        SPLIT = "split", gettext_lazy("gave a part of it to another team")
        ASSIGNED = "assigned", gettext_lazy("assigned")
        TAGGED = "tagged", gettext_lazy("tagged")
        UNTAGGED = "untagged", gettext_lazy("removed a tag")
        SEVERITY = "severity", gettext_lazy("set the severity")
        NOTED = "noted", gettext_lazy("wrote a note")
        MERGED = "merged", gettext_lazy("merged")
        UNMERGED = "unmerged", gettext_lazy("unmerged")
        SNOOZED = "snoozed", gettext_lazy("snoozed")
        WOKE = "woke", gettext_lazy("woke")
        WAITING = "waiting_customer", gettext_lazy("waits for the customer")
        CUSTOMER_REPLIED = "customer_replied", gettext_lazy("the customer replied")
        ACTION_LINKED = "action_linked", gettext_lazy("linked an action")
        ACTION_UNLINKED = "action_unlinked", gettext_lazy("unlinked an action")
        WORK_STARTED = "work_started", gettext_lazy("started work")
        RESOLVED = "resolved", gettext_lazy("resolved")
        REOPENED = "reopened", gettext_lazy("reopened")
        CLOSED = "closed", gettext_lazy("closed")
        CUSTOMER_TOLD = "customer_told", gettext_lazy("told the customer")
        SCORE = "score", gettext_lazy("rated how we handled it")
        DISMISSED = "dismissed", gettext_lazy("turned the proposal down")
        AUDITED = "audited", gettext_lazy("labelled in the weekly audit")
        ESCALATED = "escalated", gettext_lazy("told the team's lead that it is late")
        UNDONE = "undone", gettext_lazy("took back")

    class Source(models.TextChoices):
        PERSON = "person", gettext_lazy("a person")
        RULE = "rule", gettext_lazy("a rule")
        MODEL = "model", gettext_lazy("the model")
        SYSTEM = "system", gettext_lazy("the portal")
        CUSTOMER = "customer", gettext_lazy("the customer")

    # Indexed by those below, which begin with them: this is the table that is written most.
    item = models.ForeignKey(FeedbackItem, on_delete=models.PROTECT, related_name="events", db_index=False)
    ticket = models.ForeignKey(Ticket, on_delete=models.PROTECT, null=True, related_name="events", db_index=False)
    type = models.CharField(max_length=20, choices=Type.choices)
    source = models.CharField(max_length=8, choices=Source.choices)
    person = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    # On an `undone` event: the event it takes back. What was taken back is not counted.
    undoes = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="undone_by")
    # The ticket's version that the decision made; events of one decision share it.
    version = models.PositiveIntegerField(null=True)
    data = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(source="person") | Q(person=None), name="event_person_means_person"),
            models.CheckConstraint(
                condition=Q(type="undone", undoes__isnull=False) | ~Q(type="undone") & Q(undoes=None),
                name="event_undone_names_what",
            ),
        ]
        indexes = [
            models.Index(fields=["item", "occurred_at", "id"], name="event_of_item"),
            models.Index(fields=["ticket", "-id"], name="event_of_ticket"),
            models.Index(fields=["type", "occurred_at"], name="event_of_type"),
            # What somebody did lately, to take it back.
            models.Index(fields=["person", "-occurred_at"], name="event_of_person", condition=Q(person__isnull=False)),
        ]


class ChangedDay(PendingWork):
    """A day of arrival whose facts changed, so whatever was measured about it is out of date.

    Written in the transaction of the change; the floor above counts the day again. A day that is already waiting
    is not written twice.
    """

    day = models.DateField()

    objects = PendingQuerySet["ChangedDay"].as_manager()

    class Meta:
        constraints = [
            # A day being counted right now (its lease is held) may be marked again, for the count may have missed us.
            models.UniqueConstraint(
                fields=["day"],
                condition=Q(completed_at=None, parked_at=None, lease_token=None, attempts=0),
                name="changed_day_waits_once",
            ),
        ]
        indexes = [due_index("changed_day_due")]


def mark_changed(received: Iterable[datetime]) -> None:
    """The days on which these items arrived, in the organisation's time zone, must be counted again.

    Call it last in the transaction of the change. A day that already waits is shared, not written twice: the share
    lock keeps a counter from taking the day before our change is there to be counted, and holds up no other change.
    """
    days = {timezone.localtime(at, timezone.get_default_timezone()).date() for at in received}
    with connection.cursor() as cursor:
        while days:
            wanted = [sorted(days)]
            cursor.execute(
                "INSERT INTO triage_changedday (day) SELECT unnest(%s::date[]) ON CONFLICT DO NOTHING", wanted
            )
            cursor.execute(
                "SELECT day FROM triage_changedday WHERE day = ANY(%s) AND completed_at IS NULL AND parked_at IS NULL"
                " AND lease_token IS NULL AND attempts = 0 FOR SHARE",
                wanted,
            )
            # A day missing here was taken between the two statements: it is written anew.
            days -= {day for (day,) in cursor.fetchall()}
