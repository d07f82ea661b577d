"""`analyst_views`: make the read-only views for analysts and let a role read them, or take them away."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from feedback_portal.refusals import BadInput
from kpis import analysts


class Command(BaseCommand):
    help = (
        "Make the views of the schema `analyst` anew, with every column described. With --reader a role of your database"
        " may read them and nothing else; docs/analysts.md says how to make one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--drop", action="store_true", help="take them away, for instance before an update")
        parser.add_argument("--reader", default="", help="the role that may read them")

    def handle(self, *args: Any, drop: bool, reader: str, **options: Any) -> None:
        if drop:
            analysts.drop()
            return
        try:
            with transaction.atomic():
                made = analysts.create()
                if reader:
                    analysts.let_read(reader)
        except BadInput as refused:
            raise CommandError(refused.message) from None
        for name in made:
            self.stdout.write(name)
