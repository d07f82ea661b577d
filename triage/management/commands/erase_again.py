"""`erase_again`: after a backup was restored, erase once more whoever was erased since it was made."""

import json
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from triage import persons


class Command(BaseCommand):
    help = (
        "Run this after every restore of a backup, before anybody works: it erases again whom the backup brought back."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        again, came = persons.erase_again(at=timezone.now())
        for each in came:
            self.stderr.write(
                f"Customer {each.customer.pk} was erased on {each.erased_at:%Y-%m-%d} and is new since. If an import brought"
                f" them back, run: person {each.customer.pk} --erase",
                str,
            )
        self.stdout.write(json.dumps({"erased_again": again, "came_back": len(came)}))
