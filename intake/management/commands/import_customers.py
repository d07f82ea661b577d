"""`import_customers`: take in a file of customers, companies or exposure counts."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from feedback_portal.refusals import Refused
from intake import relation_runs
from intake.connectors.relation_columns import PRESETS
from intake.models import RelationFile, RelationNotice

MOST_TOLD = 20


class Command(BaseCommand):
    help = (
        "Import a file of customers, companies or exposure counts. The same file again changes nothing."
        " Prints one JSON line with what came of its rows."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the file, such as companies.csv")
        parser.add_argument(
            "--kind",
            default="",
            choices=["", *RelationFile.Kind.values],
            help="what it is of, where its columns do not tell",
        )
        parser.add_argument("--preset", default="", choices=["", *PRESETS], help="which export it is")
        parser.add_argument("--system", default="", help="whose numbers stand in it; yours where none is named")
        parser.add_argument("--currency", default="", help="the currency of sums that name none, as in EUR")
        parser.add_argument("--dry-run", action="store_true", help="say what would come of it, and write nothing")

    def handle(
        self, *args: Any, file: Path, kind: str, preset: str, system: str, currency: str, dry_run: bool, **options: Any
    ) -> None:
        told = {"preset": preset or kind, "system": system, "currency": currency}
        self._told = 0
        try:
            counts = relation_runs.take_file(
                file,
                told={name: value for name, value in told.items() if value},
                at=timezone.now(),
                dry_run=dry_run,
                notice=self._tell,
            )
        except Refused as refused:
            raise CommandError(refused.message) from None
        if self._told > MOST_TOLD:
            self.stderr.write(f"{self._told - MOST_TOLD:,} more rows have something to tell.", str)
        self.stdout.write(json.dumps({name: counts[name] for name in relation_runs.COUNTED}))

    def _tell(self, notice: RelationNotice) -> None:
        self._told += 1
        if self._told <= MOST_TOLD:
            column = f", {notice.column}" if notice.column else ""
            self.stderr.write(f"Row {notice.row}{column}: {notice.reason}", str)
