"""Places where people answer on the spot."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now

from feedback_portal.marking import marked
from intake.models.channels import Form


class Place(models.Model):
    """A counter, a lobby, a machine: with a kiosk on it and a poster beside it, both asking what one form asks."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    form = models.ForeignKey(Form, on_delete=models.PROTECT, related_name="places")
    # The first one is what the kiosk comes back to.
    languages = models.JSONField(default=list)
    # What staff type to leave the kiosk. It keeps customers on the page and guards nothing, so it is no secret to staff.
    exit_code = models.CharField(
        max_length=12, validators=[RegexValidator(r"\A\d{4,12}\Z", marked("Use four to twelve digits."))]
    )
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name
