"""`load_synthetic`: any amount of feedback over any number of days, to measure how the portal behaves when it is large."""

import json
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from typing import Any

import django
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from django.utils import timezone

from kpis import recording
from kpis.models import Measurement
from kpis.periods import Period
from kpis.synthetic import ground, tables
from kpis.synthetic.draws import Plan, draw
from kpis.synthetic.ground import Ground

DAYS_A_SHARE = 10


class Command(BaseCommand):
    help = "Fill every table consistently with synthetic feedback; prints one JSON line of counts and seconds."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--items", type=int, required=True, help="how many items")
        parser.add_argument("--days", type=int, required=True, help="over how many days before now")
        parser.add_argument("--seed", default="1", help="the same seed draws the same items")
        parser.add_argument(
            "--processes", type=int, default=os.cpu_count() or 1, help="how many share the work (1: only this one)"
        )

    def handle(self, *args: Any, items: int, days: int, seed: str, processes: int, **options: Any) -> None:
        if items < 1 or not 1 <= days <= 3650:
            raise CommandError("Give at least one item, and from 1 to 3650 days.")
        at, began = timezone.now(), time.monotonic()
        plan = Plan.make(items=items, days=days, seed=seed, at=at)
        base = ground.lay(seed, items=items, days=days, at=at)
        item, ticket = tables.reserve(items)
        counted = Period.recent(zone=recording.reporting_zone(), at=at, days=days + 1)
        with _workers(processes) as run:
            counts = sum(run(partial(_fill, plan, base, item, ticket), plan.slices), Counter[str]())
            tables.tidy()
            each = [day.first for day in counted.days()]
            shares = [each[first : first + DAYS_A_SHARE] for first in range(0, len(each), DAYS_A_SHARE)]
            list(run(partial(_recount, at), shares))
        told = counts | {"measurements": Measurement.objects.count(), "seconds": round(time.monotonic() - began, 1)}
        self.stdout.write(json.dumps(told))


def _fill(plan: Plan, base: Ground, item: int, ticket: int, numbers: range) -> Counter[str]:
    return tables.fill(draw(plan, numbers, ground=base), item=item, ticket=ticket, at=plan.at)


def _recount(at: datetime, days: list[date]) -> None:
    recording.recount(*days, at=at)


@contextmanager
def _workers(processes: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """A `map` whose work is shared by so many processes, each with a connection of its own."""
    if processes == 1:
        yield map
        return
    connections.close_all()
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=fresh, initializer=django.setup) as pool:
        yield pool.map
