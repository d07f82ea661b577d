"""`doctor`: every check with its verdict; exit 1 if one fails."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from feedback_portal import health


class Command(BaseCommand):
    help = "Check settings, services, migrations, the clock and what waits; exit 1 if a check fails."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        found = health.checks()
        for check in found:
            self.stdout.write(f"{'ok  ' if check.ok else 'FAIL'}  {check.name:<12} {check.found}")
            if check.advice:
                self.stdout.write(f"      {check.advice}")
        if not all(check.ok for check in found):
            sys.exit(1)
