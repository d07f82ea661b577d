"""Other systems that are told of events, each event on its way to one of them, and every try of telling it."""

from collections.abc import Sequence

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from feedback_portal.accounts.models import Team, User
from feedback_portal.pending import PendingQuerySet, PendingWork, due_index
from feedback_portal.sealing import seal_texts, unseal_texts


class Subscriber(models.Model):
    """Changed through `triage.connecting.subscribers` only; the database itself writes what it is to be told (`Announcement`)."""

    name = models.CharField(max_length=120)
    url = models.CharField(max_length=2000)
    # "ticket.routed", "theme.grew": the log an event stands in, and its type there.
    kinds = ArrayField(models.CharField(max_length=40))
    # Only what concerns this team; everything where there is none.
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # Names, addresses and what customers and colleagues wrote go along.
    tells_persons = models.BooleanField(default=False)
    # Sealed; see `secrets`.
    sealed_secrets = models.BinaryField(default=b"")
    switched_off_at = models.DateTimeField(null=True)
    # Why the portal switched it off; empty when a person did.
    off_reason = models.TextField(default="", blank=True)
    # Tries in a row that failed, and until when it is left alone because of them.
    failures = models.PositiveIntegerField(default=0)
    paused_until = models.DateTimeField(null=True)
    last_success_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(off_reason="") | Q(switched_off_at__isnull=False), name="subscriber_off_for_a_reason_is_off"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def secrets(self) -> list[str]:
        """Every secret that signs, the newest first."""
        texts = unseal_texts(bytes(self.sealed_secrets))
        return [texts[made] for made in sorted(texts, reverse=True)]

    @property
    def dated_secrets(self) -> dict[str, str]:
        """The same by when each was made, in ISO 8601."""
        return unseal_texts(bytes(self.sealed_secrets))

    @dated_secrets.setter
    def dated_secrets(self, texts: dict[str, str]) -> None:
        self.sealed_secrets = seal_texts(texts)


class AnnouncementQuerySet(PendingQuerySet["Announcement"]):
    def replay(self) -> int:
        """The schedule begins anew as well."""
        self.parked().update(failures=0)
        return super().replay()

    def about(self, log: str, subjects: Sequence[int]) -> "AnnouncementQuerySet":
        return self.filter(log=log, subject__in=subjects)


class Announcement(PendingWork):
    """One event on its way to one subscriber, told at least once under one id.

    Written by a trigger in the transaction of the event, whoever wrote that. It holds none of the event's words:
    what is sent is put together when it is sent, so that what was erased meanwhile is not told.
    """

    TEST = "test"

    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="announcements", db_index=False)
    # Where the event stands ("ticket", "theme", "action"; "test" for none), its row there, and the row it is about.
    log = models.CharField(max_length=6)
    number = models.BigIntegerField()
    subject = models.BigIntegerField()
    kind = models.CharField(max_length=40)
    failures = models.PositiveSmallIntegerField(default=0, db_default=0)
    made_at = models.DateTimeField(db_default=Now())

    objects = AnnouncementQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subscriber", "log", "number"], name="announcement_once_per_subscriber"),
        ]
        indexes = [
            due_index("announcement_due"),
            models.Index(
                fields=["subscriber", "log", "subject"],
                name="announcement_waits_about",
                condition=Q(completed_at=None, parked_at=None),
            ),
            models.Index(
                fields=["subscriber"],
                name="announcement_in_hand",
                condition=Q(completed_at=None, parked_at=None, lease_token__isnull=False),
            ),
            models.Index(fields=["subscriber", "-id"], name="announcement_newest"),
            models.Index(fields=["made_at"], name="announcement_by_age"),
        ]

    @property
    def public_id(self) -> str:
        """The same for every try and every subscriber; it holds no dot, which parts what is signed."""
        return f"{self.log}_{self.number}"


class AnnouncementTry(models.Model):
    """One try: what the receiver answered, or why there was no answer."""

    announcement = models.ForeignKey(Announcement, on_delete=models.CASCADE, related_name="tries")
    tried_at = models.DateTimeField(db_default=Now())
    took_ms = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(null=True)
    # The first bytes of the answer as text, whatever they are.
    answer = models.TextField(default="", blank=True)
    trouble = models.TextField(default="", blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__isnull=False) | ~Q(trouble=""), name="announcement_try_has_status_or_trouble"
            ),
        ]
