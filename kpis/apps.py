"""Kpis measures: satisfaction, and how far feedback has been acted on."""

from django.apps import AppConfig

from kpis.definitions import definitions


class KpisConfig(AppConfig):
    name = "kpis"

    def ready(self) -> None:
        definitions.load("kpis.definitions")
