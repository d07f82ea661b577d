"""`kpi_proof`: count the last weeks again beside what stands; exit 1 where a number differs."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from kpis import proving


class Command(BaseCommand):
    help = "Count the last days again from items and events and compare; with --repair, count anew what differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=proving.DAYS, help="how many days before today")
        parser.add_argument("--repair", action="store_true", help="replace the days that differ")

    def handle(self, *args: Any, days: int, repair: bool, **options: Any) -> None:
        at = timezone.now()
        found = proving.prove(at=at, days=max(1, min(days, 3650)))
        self.stdout.write(json.dumps(found.as_dict() | {"examples": found.examples}))
        if found.differing and repair:
            proving.repair(found.days, at=at)
        if found.differing:
            sys.exit(1)
