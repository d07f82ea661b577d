"""Intake receives: what was said, from every channel, durable and once."""

from django.apps import AppConfig

from intake.connectors import connectors


class IntakeConfig(AppConfig):
    name = "intake"

    def ready(self) -> None:
        connectors.load("intake.connectors")
