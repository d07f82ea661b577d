"""Triage decides: what an item is about, who acts on it, and what the customer is told."""

from django.apps import AppConfig

from triage.taggers import taggers


class TriageConfig(AppConfig):
    name = "triage"

    def ready(self) -> None:
        taggers.load("triage.taggers")
