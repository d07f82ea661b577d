"""The configured ways in, and the forms that are one of them."""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Mapping
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy

from feedback_portal.sealing import seal_texts, unseal_texts
from intake.connectors import connectors
from intake.connectors.base import Connector


class ChannelQuerySet(models.QuerySet["Channel"]):
    def enabled(self) -> Self:
        return self.filter(is_enabled=True)


class Channel(models.Model):
    """A configured way in ("App Store, iOS", "Form: after repair")."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    # The connector's slug, and no choices: a new kind of channel needs no migration.
    kind = models.CharField(max_length=40)
    settings = models.JSONField(default=dict, blank=True)
    # Sealed; see `secrets`.
    sealed_secrets = models.BinaryField(default=b"", blank=True)
    # The hash of the key in the address its sender calls; the key itself is derived again, see `hook_key`.
    hook_hash = models.CharField(max_length=64, unique=True, null=True, editable=False)
    hook_salt = models.UUIDField(default=uuid.uuid4, editable=False)
    # How long what arrived is kept as it arrived, so that it can be read again by a newer connector.
    raw_kept_days = models.PositiveIntegerField(default=180)
    # A legal hold: nothing that arrived through it is emptied or deleted for its age.
    is_held = models.BooleanField(default=False, db_default=False)
    # What arrived before this was emptied already, so that nobody looks there again; see `retention`.
    raw_gone_before = models.DateTimeField(null=True, editable=False)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = ChannelQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    @property
    def secrets(self) -> dict[str, str]:
        return unseal_texts(bytes(self.sealed_secrets))

    @secrets.setter
    def secrets(self, texts: Mapping[str, str]) -> None:
        self.sealed_secrets = seal_texts(texts)

    @property
    def hook_key(self) -> str:
        """The key of `/hooks/<key>/`: 192 bits derived from the secret key, so that the page can show it again."""
        digest = hmac.new(settings.SECRET_KEY.encode(), b"hook:" + self.hook_salt.bytes, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:24]).decode()

    @property
    def connector(self) -> Connector:
        return connectors.get(self.kind)


class Form(models.Model):
    """A public form; what it asks stands in its versions, so that old answers keep their meaning."""

    class State(models.TextChoices):
        DRAFT = "draft", gettext_lazy("Draft")
        PUBLISHED = "published", gettext_lazy("Published")
        CLOSED = "closed", gettext_lazy("Closed")

    channel = models.OneToOneField(Channel, on_delete=models.PROTECT, related_name="form")
    slug = models.SlugField(max_length=60, unique=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    current = models.ForeignKey("FormVersion", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    # Origins that may frame the form, besides our own.
    allowed_origins = models.JSONField(default=list, blank=True)
    # What it would ask if it were published now; nothing when that is what it asks already.
    draft = models.JSONField(null=True, blank=True)
    draft_changed_at = models.DateTimeField(null=True, blank=True)
    # What visitors of a closed form read.
    closed_note = models.CharField(max_length=300, default="", db_default="", blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="published") | Q(current__isnull=False), name="form_published_has_version"
            ),
            models.CheckConstraint(
                condition=Q(draft__isnull=False) | Q(current__isnull=False), name="form_without_version_is_drafted"
            ),
        ]

    def __str__(self) -> str:
        return self.slug


class FormVersion(models.Model):
    """What a form asked from one moment on; never changed once it was published (see `surveys`)."""

    form = models.ForeignKey(Form, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["form", "number"], name="form_version_once")]


class Allowance(models.Model):
    """When one address has used up what it may send through one channel, or through a public page that is none; see `allowances`.

    Kept in the database, where every process counts the same, in a table that is not written ahead: after a crash it is
    empty, which harms nobody. Addresses are kept as hashes only.
    """

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, null=True, related_name="+")
    address = models.CharField(max_length=64)
    # Each try moves it on by its share of a minute; while it lies too far ahead, tries are refused.
    used_until = models.DateTimeField()
    hour_began_at = models.DateTimeField()
    in_this_hour = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "address"], name="allowance_once_for_address", nulls_distinct=False
            )
        ]
        indexes = [models.Index(fields=["hour_began_at"], name="allowance_by_age")]


class SpentProof(models.Model):
    """A challenge whose proof of work was taken once, kept until it expires by itself; see `proof_of_work`."""

    challenge = models.CharField(max_length=64, primary_key=True)
    expires_at = models.DateTimeField(db_index=True)
