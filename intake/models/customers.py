"""Who said it, the company they belong to, what both own, and under which ids other systems know them."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now

# Which system, and the id there; "" is the organisation itself.
Id = tuple[str, str]


def id_of(reference: str) -> Id:
    """An id as one text: feedback from a system names people as in zendesk:511."""
    system, colon, number = reference.partition(":")
    return (system, number) if colon and system and number else ("", reference)


def reference_of(given: Id) -> str:
    return ":".join(given) if given[0] else given[1]


class Account(models.Model):
    """A company that buys from us, with what it is worth a year and its segment."""

    external_id = models.CharField(max_length=200, unique=True)
    name = models.CharField(max_length=200, blank=True, default="")
    segment = models.CharField(max_length=60, blank=True, default="")
    value = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True, default="")
    # Whoever writes from an address there works there; empty, never the domain of a provider of mail for everybody.
    domain = models.CharField(max_length=253, blank=True, default="", db_default="")
    lifecycle = models.CharField(max_length=60, blank=True, default="", db_default="")
    owner = models.CharField(max_length=200, blank=True, default="", db_default="")
    # When a source last changed what is told here; what is older fills gaps and replaces nothing.
    changed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(value=None) | Q(value__gte=0), name="account_value_not_negative"),
        ]
        indexes = [models.Index(fields=["domain"], name="account_by_domain", condition=~Q(domain=""))]

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
    # When a source last changed what is told here; what is older fills gaps and replaces nothing.
    changed_at = models.DateTimeField(null=True, blank=True)
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


class Identity(models.Model):
    """The id a system has for a customer, so that several systems know one person. Without a customer it is all that is left of
    one who was deleted there: what is older than the deletion brings nobody back."""

    # "" for the organisation's own numbers, "email" for further addresses, else the system's short name, as in hubspot.
    system = models.CharField(max_length=60, blank=True)
    external_id = models.CharField(max_length=254)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True, related_name="identities")
    gone_at = models.DateTimeField(null=True)
    # Its record was merged into another: what it still says fills gaps and replaces nothing.
    is_merged = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["system", "external_id"], name="identity_once")]

    def __str__(self) -> str:
        return f"{self.system}:{self.external_id}" if self.system else self.external_id


class AccountIdentity(models.Model):
    """The same for a company."""

    system = models.CharField(max_length=60, blank=True)
    external_id = models.CharField(max_length=254)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, null=True, related_name="identities")
    gone_at = models.DateTimeField(null=True)
    # Its record was merged into another: what it still says fills gaps and replaces nothing.
    is_merged = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["system", "external_id"], name="account_identity_once")]

    def __str__(self) -> str:
        return f"{self.system}:{self.external_id}" if self.system else self.external_id


class Ownership(models.Model):
    """A product that a customer or a company has. Products are texts here as they are in feedback: nobody has to list them first."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True, related_name="owned")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, null=True, related_name="owned")
    product = models.CharField(max_length=120)
    since = models.DateField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(customer=None, account__isnull=False) | Q(customer__isnull=False, account=None),
                name="ownership_has_one_owner",
            ),
            models.UniqueConstraint(fields=["customer", "product"], name="ownership_once_per_customer"),
            models.UniqueConstraint(fields=["account", "product"], name="ownership_once_per_account"),
        ]

    def __str__(self) -> str:
        return self.product


class Exposure(models.Model):
    """How much of something there was on a day that feedback can be set against: units shipped, orders, visits."""

    kind = models.SlugField(max_length=40)
    product = models.CharField(max_length=120, blank=True, default="")
    site = models.CharField(max_length=120, blank=True, default="")
    day = models.DateField()
    count = models.PositiveBigIntegerField()
    # When the source last changed the count; an older one replaces nothing.
    changed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "product", "site", "day"], name="exposure_once")]
        indexes = [models.Index(fields=["kind", "day"], name="exposure_by_day")]

    def __str__(self) -> str:
        return f"{self.count} {self.kind} on {self.day}"
