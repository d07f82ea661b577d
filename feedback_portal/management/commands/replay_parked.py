"""`replay_parked`: give parked rows of a stage their attempts back."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser

from feedback_portal.celery import PIPELINE


class Command(BaseCommand):
    help = "Try parked work again: one row, or everything parked in a stage."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("stage", choices=[stage.name for stage in PIPELINE])
        parser.add_argument("--row", type=int, help="only the row with this number")

    def handle(self, *args: Any, stage: str, row: int | None, **options: Any) -> None:
        (chosen,) = (known for known in PIPELINE if known.name == stage)
        rows = apps.get_model(chosen.model)._default_manager.all()
        if row is not None:
            rows = rows.filter(pk=row)
        count = rows.replay()
        if row is not None and not count:
            raise CommandError(f"Row {row} is not parked in {stage}. The page /settings/parked/ lists what is.")
        self.stdout.write(f"{count} rows will be tried again.")
