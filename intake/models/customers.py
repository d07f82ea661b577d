"""Who said it, and the company they belong to."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now


class Account(models.Model):
    """A company that buys from us, with what it is worth a year and its segment."""

    external_id = models.CharField(max_length=200, unique=True)
    name = models.CharField(max_length=200, blank=True, default="")
    segment = models.CharField(max_length=60, blank=True, default="")
    value = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(value=None) | Q(value__gte=0), name="account_value_not_negative"),
        ]

    def __str__(self) -> str:
        return self.name or self.external_id


class Customer(models.Model):
    """A person who gave feedback. Found by the id their system has for them, then by e-mail."""

    external_id = models.CharField(max_length=200, null=True, blank=True, unique=True)
    email = models.EmailField(blank=True, default="")
    name = models.CharField(max_length=200, blank=True, default="")
    account = models.ForeignKey(Account, on_delete=models.SET_NULL, null=True, blank=True, related_name="customers")
    language = models.CharField(max_length=12, blank=True, default="")
    opted_out_at = models.DateTimeField(null=True, blank=True)
    erased_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            # Known only by their address: then the address is the person.
            models.UniqueConstraint(
                Lower("email"), condition=Q(external_id=None) & ~Q(email=""), name="customer_once_per_email"
            ),
        ]
        indexes = [models.Index(Lower("email"), name="customer_by_email", condition=~Q(email=""))]

    def __str__(self) -> str:
        return self.name or self.email or self.external_id or "Unknown customer"
