"""Triage decides: what an item is about, who acts on it, and what the customer is told."""

from django.apps import AppConfig

from triage.connecting.trackers import trackers
from triage.taggers import taggers


class TriageConfig(AppConfig):
    name = "triage"

    def ready(self) -> None:
        taggers.load("triage.taggers")
        trackers.load("triage.connecting.trackers")
