"""`kpi`: one KPI over a period, as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from feedback_portal.accounts.models import Stage, Team
from feedback_portal.refusals import Refused
from feedback_portal.registry import UnknownSlug
from intake.models import Channel
from kpis import recording
from kpis.definitions import definitions
from kpis.periods import Period, as_of_asked
from kpis.recording import Dimension

_GROUPS: Mapping[Dimension, type[Team | Channel | Stage]] = {"team": Team, "channel": Channel, "stage": Stage}


class Command(BaseCommand):
    help = "Print a KPI's value, numerator, denominator, interval and definition version as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help=", ".join(kpi.slug for kpi in definitions.all()))
        parser.add_argument("--from", dest="first", required=True, help="2026-01-01")
        parser.add_argument("--to", dest="last", required=True, help="2026-03-31, included")
        parser.add_argument("--group-by", choices=_GROUPS)
        parser.add_argument("--as-of", default="", help="as it was known at this time")

    def handle(
        self, *args: Any, slug: str, first: str, last: str, group_by: Dimension | None, as_of: str, **options: Any
    ) -> None:
        at, zone = timezone.now(), recording.reporting_zone()
        try:
            kpi = definitions.get(slug)
            period = Period.asked({"from": first, "to": last}, zone=zone, at=at)
            moment = as_of_asked({"as_of": as_of}, zone=zone, at=at) if as_of else None
        except (UnknownSlug, Refused) as error:
            raise CommandError(str(error)) from None
        told = recording.read(kpi, period, at=at, as_of=moment).as_dict()
        if group_by:
            groups = dict(_GROUPS[group_by].objects.order_by("slug").values_list("pk", "slug"))
            readings = recording.split(kpi, period, group_by, groups, at=at, as_of=moment)
            told["groups"] = [{group_by: groups[key]} | reading.as_dict() for key, reading in readings.items()]
        self.stdout.write(json.dumps(told))
