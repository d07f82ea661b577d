"""Intake receives: what was said, from every channel, durable and once."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from intake.connectors import connectors


class IntakeConfig(AppConfig):
    name = "intake"

    def ready(self) -> None:
        connectors.load("intake.connectors")
        post_migrate.connect(furnish, sender=self)


def furnish(*, plan: Sequence[tuple[Any, bool]] = (), **_: Any) -> None:
    from intake import surveys

    is_taken_down = any(backwards for _, backwards in plan)
    if not is_taken_down:
        surveys.furnish()
