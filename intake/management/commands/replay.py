"""`replay`: what a channel's connector would say now of everything it brought, and, when asked, have it say so."""

import json
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from intake import replaying
from intake.models import Channel

MOST_TOLD = 50


class Command(BaseCommand):
    help = "Read what came through a channel again. Says what would change, and changes it only with --apply."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--channel", required=True, metavar="SLUG", help="the channel, as in /settings/channels/SLUG/"
        )
        parser.add_argument(
            "--which", choices=list(replaying.WHICH), default="older", help="what is read (default: older)"
        )
        parser.add_argument("--apply", action="store_true", help="have what would change read again by the workers")

    def handle(self, *args: Any, channel: str, which: str, apply: bool, **options: Any) -> None:
        found = Channel.objects.filter(slug=channel).first()
        if found is None:
            raise CommandError(f'There is no channel "{channel}". The page /settings/channels/ lists them.')
        counts: Counter[str] = Counter()
        told, after = 0, 0
        while True:
            do = replaying.apply if apply else replaying.look
            stretch = do(found, at=timezone.now(), which=which, after=after)
            counts += stretch.counts
            for verdict in stretch.verdicts[: max(0, MOST_TOLD - told)]:
                told += 1
                lines = [f"{change.name}: {change.before!r} -> {change.after!r}" for change in verdict.changes]
                self.stderr.write(f"{verdict.reference} {verdict.kind}. {'; '.join(lines) or verdict.reason}", str)
            if stretch.last is None:
                break
            after = stretch.last
        self.stdout.write(json.dumps({kind: counts[kind] for kind in replaying.VERDICTS}))
