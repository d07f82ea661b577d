"""People, teams and keys."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate

_STAGES = (
    ("design", "Design"),
    ("sourcing", "Sourcing"),
    ("production", "Production"),
    ("quality", "Quality"),
    ("logistics", "Logistics"),
    ("sales-marketing", "Sales & marketing"),
    ("service", "Service"),
)


class AccountsConfig(AppConfig):
    name = "feedback_portal.accounts"
    label = "accounts"

    def ready(self) -> None:
        post_migrate.connect(furnish, sender=self)


def furnish(**_: Any) -> None:
    """An empty portal has the seven production stages and a catch-all team, so that an item always has an owner."""
    from feedback_portal.accounts.models import Stage, Team

    if not Stage.objects.exists():
        Stage.objects.bulk_create(
            Stage(slug=slug, name=name, position=place) for place, (slug, name) in enumerate(_STAGES)
        )
    if not Team.objects.filter(is_catch_all=True).exists():
        Team.objects.create(slug="triage-desk", name="Triage desk", is_catch_all=True)
