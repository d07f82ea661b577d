"""`analyst_views`: make the read-only views for analysts, or take them away."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from kpis import analysts


class Command(BaseCommand):
    help = (
        "Make the views of the schema `analyst` anew, with every column described. Then let a role of your choice read"
        " them: GRANT USAGE ON SCHEMA analyst TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA analyst TO reader;"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--drop", action="store_true", help="take them away, for instance before an update")

    def handle(self, *args: Any, drop: bool, **options: Any) -> None:
        if drop:
            analysts.drop()
            return
        for name in analysts.create():
            self.stdout.write(name)
