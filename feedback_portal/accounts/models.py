"""Who works here, in which team, at which stage of production, and which programs may call."""

import hashlib
import secrets
from datetime import date, datetime, timedelta
from typing import Any, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy

from feedback_portal.accounts.calendars import WorkingTime


def hashed(secret: str) -> str:
    """How tokens of 256 random bits are stored: a plain SHA-256, for there is nothing to guess."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


class Stage(models.Model):
    """The production stage where a cause sits: design, sourcing, production, quality, logistics, …; editable."""

    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    position = models.PositiveSmallIntegerField(default=0)

    def __str__(self) -> str:
        return self.name


class WorkCalendar(models.Model):
    """When teams work: spans by weekday in one time zone, and the days they do not. See `accounts.calendars`."""

    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    time_zone = models.CharField(max_length=64)
    hours = models.JSONField()  # {"mon": [["08:00", "17:00"]], …}
    holidays = ArrayField(models.DateField(), default=list, blank=True)

    def __str__(self) -> str:
        return self.name

    @property
    def working_time(self) -> WorkingTime:
        return WorkingTime.read(zone=self.time_zone, hours=self.hours, holidays=self.holidays)


class Team(models.Model):
    """A cross-functional team with a queue. Exactly one is the catch-all: an item always has an owner."""

    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    stage = models.ForeignKey(Stage, on_delete=models.PROTECT, null=True, blank=True, related_name="teams")
    is_catch_all = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    # Target for the first decision, in hours of the team's working time where no other target is closer.
    triage_hours = models.PositiveSmallIntegerField(default=24)
    # None: the team is there around the clock, and every hour counts.
    calendar = models.ForeignKey(WorkCalendar, on_delete=models.PROTECT, null=True, blank=True, related_name="teams")
    # So many open tickets one person can carry; 0 when nobody has said.
    capacity = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["is_catch_all"], condition=Q(is_catch_all=True), name="team_one_catch_all"),
            models.CheckConstraint(
                condition=Q(is_catch_all=False) | Q(is_active=True), name="team_catch_all_is_active"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a person may do. An agent and a lead act for the teams they are members of; a manager sees every
    team and steers; an admin also sets the portal up."""

    AGENT = "agent", gettext_lazy("Agent")
    LEAD = "lead", gettext_lazy("Lead")
    MANAGER = "manager", gettext_lazy("Manager")
    ADMIN = "admin", gettext_lazy("Administrator")


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_superuser=True, role=Role.ADMIN, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A member of staff, known by e-mail. (Who gives feedback is a Customer.)"""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.AGENT)
    is_active = models.BooleanField(default=True)
    # Both may stay empty: then the browser says which language, and the portal which clock.
    time_zone = models.CharField(max_length=64, default="", blank=True)
    language = models.CharField(max_length=12, default="", db_default="", blank=True)
    created_at = models.DateTimeField(db_default=Now())
    teams: "models.ManyToManyField[Team, Membership]" = models.ManyToManyField(
        Team, through="Membership", related_name="people"
    )

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(email=Lower("email")), name="user_email_is_lower_case"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="user_has_known_role"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_staff(self) -> bool:
        """Who may open the Django admin."""
        return self.is_active and self.role == Role.ADMIN

    @property
    def initials(self) -> str:
        words = (self.name or self.email).split()
        return "".join(word[0] for word in words[:2]).upper()

    @property
    def colour(self) -> int:
        """One of eight colours of the style sheet, steady per person."""
        return self.pk % 8 + 1


class Membership(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    is_lead = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "team"], name="membership_once_per_team")]


class AbsenceQuerySet(models.QuerySet["Absence"]):
    def on(self, day: date) -> Self:
        """Those that cover this day."""
        return self.filter(first_day__lte=day).filter(Q(last_day=None) | Q(last_day__gte=day))

    def not_over(self, day: date) -> Self:
        return self.filter(Q(last_day=None) | Q(last_day__gte=day))


class Absence(models.Model):
    """Days of the organisation's calendar on which somebody gets no work; `stand_in` gets it instead, or else the team."""

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="absences")
    first_day = models.DateField()
    # None: until further notice.
    last_day = models.DateField(null=True, blank=True)
    stand_in = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    set_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects = AbsenceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(last_day=None) | Q(last_day__gte=models.F("first_day")), name="absence_ends_after_it_begins"
            ),
            models.CheckConstraint(condition=~Q(stand_in=models.F("person")), name="absence_stood_in_by_another"),
        ]
        indexes = [models.Index(fields=["last_day"], name="absence_by_end")]


class SignInLink(models.Model):
    """A link that signs one person in, once, within a day."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    token_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    @classmethod
    def issue(cls, user: User, *, at: datetime) -> str:
        """The token, which is stored nowhere."""
        token = secrets.token_urlsafe(32)
        cls.objects.create(user=user, token_hash=hashed(token), expires_at=at + timedelta(days=1))
        return token

    @classmethod
    def redeem(cls, token: str, *, at: datetime) -> User | None:
        """Whom the token signs in; None when it is unknown, used or too old. Two at once: one wins."""
        links = cls.objects.filter(token_hash=hashed(token), used_at=None, expires_at__gt=at, user__is_active=True)
        link = links.select_related("user").first()
        if link is None or not links.filter(pk=link.pk).update(used_at=at):
            return None
        return link.user


class SignInFailure(models.Model):
    """A wrong password, remembered in the database so that the brake works without the broker."""

    email = models.CharField(max_length=254)
    address = models.CharField(max_length=45)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["email", "at"], name="sign_in_failure_by_email"),
            models.Index(fields=["address", "at"], name="sign_in_failure_by_address"),
        ]


class Scope(models.TextChoices):
    FEEDBACK_WRITE = "feedback:write", gettext_lazy("Send feedback")
    TICKETS_READ = "tickets:read", gettext_lazy("Read tickets")
    TICKETS_WRITE = "tickets:write", gettext_lazy("Decide on tickets")
    KPIS_READ = "kpis:read", gettext_lazy("Read KPIs")
    ADMIN = "admin", gettext_lazy("Set the portal up")


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self, at: datetime) -> Self:
        return self.filter(revoked_at=None).filter(Q(expires_at=None) | Q(expires_at__gt=at))


class ApiKey(models.Model):
    """A program's key `fbp_<8 public>_<43 secret>`; only the hash of the whole is kept."""

    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=12, unique=True)
    secret_hash = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope.choices))
    # A key of a team sees what the team sees; a key of no team sees everything its scopes name.
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    @classmethod
    def issue(
        cls, name: str, *, scopes: list[str], team: Team | None = None, created_by: User | None = None
    ) -> tuple["ApiKey", str]:
        """The key's row and, this once, the key itself."""
        prefix = f"fbp_{secrets.token_hex(4)}"
        key = f"{prefix}_{secrets.token_urlsafe(32)}"
        row = cls.objects.create(
            name=name, prefix=prefix, secret_hash=hashed(key), scopes=scopes, team=team, created_by=created_by
        )
        return row, key


class RememberedAnswer(models.Model):
    """The first answer to a POST with an Idempotency-Key, stored in the transaction of its effect."""

    caller = models.CharField(max_length=80)
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="remembered_answer_once_per_caller")]
        indexes = [models.Index(fields=["created_at"], name="remembered_answer_by_age")]
