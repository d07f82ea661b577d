"""Kpis measures: satisfaction, and how far feedback has been acted on."""

from django.apps import AppConfig


class KpisConfig(AppConfig):
    name = "kpis"

    def ready(self) -> None:
        # Definitions count models, which exist only now.
        from kpis.definitions import definitions

        definitions.load("kpis.definitions")
