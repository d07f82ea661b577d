"""`import_feedback`: take a file of feedback in through a channel."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from feedback_portal.refusals import Refused
from intake import importing
from intake.chunks import Notice

MOST_TOLD = 20


class Command(BaseCommand):
    help = "Import a file of feedback. The same file again creates nothing. Prints one JSON line with what came of it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the file, such as answers.csv")
        parser.add_argument("--channel", required=True, metavar="SLUG", help="the channel it comes through")
        parser.add_argument(
            "--connector", default="", metavar="KIND", help="create the channel of this kind if need be"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would come of it, and write nothing")

    def handle(self, *args: Any, file: Path, channel: str, connector: str, dry_run: bool, **options: Any) -> None:
        on_terminal = self.stderr.isatty()
        self._told = 0
        try:
            through = importing.channel_for(channel, kind=connector, path=file)
            report = importing.import_file(
                through,
                file,
                at=timezone.now(),
                dry_run=dry_run,
                progress=self._show if on_terminal else None,
                notice=self._tell if dry_run else None,
            )
        except Refused as refused:
            raise CommandError(refused.message) from None
        if on_terminal:
            self.stderr.write("", str)
        if self._told > MOST_TOLD:
            more = f"{self._told - MOST_TOLD:,} more rows have something to tell; import the file to read of them all."
            self.stderr.write(more, str)
        self.stdout.write(json.dumps(asdict(report)))

    def _show(self, read: int) -> None:
        self.stderr.write(f"\r{read:,} rows read", str, ending="")

    def _tell(self, notice: Notice) -> None:
        """A dry run writes no errors file, so the first of its reasons are told here."""
        self._told += 1
        if self._told <= MOST_TOLD:
            column = f", {notice.column}" if notice.column else ""
            self.stderr.write(f"Row {notice.row}{column}: {notice.reason}", str)
