"""`relay`: ring the workers of stages that have rows due, until told to stop."""

import signal
from typing import Any

from django.core.management.base import BaseCommand

from feedback_portal import relay


class Command(BaseCommand):
    help = "Look for due rows and ring the workers; runs until it is told to stop."

    def handle(self, *args: Any, **options: Any) -> None:
        going = True

        def stop(*_: Any) -> None:
            nonlocal going
            going = False

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        relay.run(keep_going=lambda: going)
