"""Kpis measures: satisfaction, and how far feedback has been acted on."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class KpisConfig(AppConfig):
    name = "kpis"

    def ready(self) -> None:
        # Definitions count models, which exist only now.
        from kpis.definitions import definitions

        definitions.load("kpis.definitions")
        post_migrate.connect(furnish, sender=self)


def furnish(*, plan: Sequence[tuple[Any, bool]] = (), **_: Any) -> None:
    """Whatever this release counts by is written down, with the moment from which on it does."""
    from django.utils import timezone

    from kpis import versions

    is_taken_down = any(backwards for _, backwards in plan)
    if not is_taken_down:
        versions.note(at=timezone.now())
