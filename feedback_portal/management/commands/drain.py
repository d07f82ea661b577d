"""`drain`: work off everything pending in the foreground, without Celery, until nothing is due."""

import json
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

from feedback_portal.celery import PIPELINE


class Command(BaseCommand):
    help = "Work off everything that is due, here and now; prints JSON counts by stage."

    def handle(self, *args: Any, **options: Any) -> None:
        totals = {stage.name: {"done": 0, "retried": 0, "parked": 0} for stage in PIPELINE}
        working = True
        while working:
            working = False
            for stage in PIPELINE:
                for what, count in import_string(stage.task)().items():
                    totals[stage.name][what] += count
                    working = working or count > 0
        self.stdout.write(json.dumps(totals))
