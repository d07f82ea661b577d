"""`prepare_encoder`: build the sentence encoder's file now, so that no worker has to at its first item."""

from typing import Any

from django.core.management.base import BaseCommand

from triage.understanding import embeddings


class Command(BaseCommand):
    help = (
        "Build the sentence encoder's file in the state folder, or say why there is none; the portal runs without it."
    )
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        state = embeddings.prepare()
        self.stdout.write(f"{state.found} {state.advice}".rstrip())
