"""`person`: give out, correct or erase everything about one person."""

import json
import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from feedback_portal.refusals import Refused
from triage import persons
from triage.persons import person_export


class Command(BaseCommand):
    help = (
        "Everything about one person: give it out, correct it, or erase it. Prints one JSON line with what came of it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "who", metavar="EMAIL|NUMBER", help="their address, or their number under /settings/customers/"
        )
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--export", type=Path, metavar="FILE.zip", help="write everything into a new file")
        what.add_argument("--rectify", nargs="+", metavar="NAME=VALUE", help="correct name, email or language")
        what.add_argument("--erase", action="store_true", help="erase them; nothing brings them back")

    def handle(
        self, *args: Any, who: str, export: Path | None, rectify: list[str] | None, erase: bool, **options: Any
    ) -> None:
        at = timezone.now()
        try:
            found = persons.find(who)
            if export is not None:
                # Theirs alone to read; and no file of that name is lost.
                with open(os.open(export, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    told: dict[str, Any] = {"items": person_export.export(found, file, by=None, at=at)}
            elif rectify:
                if len(found) > 1:
                    numbers = ", ".join(str(each.pk) for each in found)
                    raise CommandError(f"Several people have this address. Name one by number: {numbers}.")
                told = {"changed": persons.rectify(found[0], _pairs(rectify), by=None, at=at)}
            else:
                erased = persons.erase([each for each in found if each.erased_at is None] or found, by=None, at=at)
                told = {"items": erased.items, "traces": dict(erased.traces), "kept": list(erased.kept)}
        except FileExistsError:
            raise CommandError(f"{export} is there already. Name a new file.") from None
        except OSError as error:
            raise CommandError(f"{export} cannot be written: {error.strerror}. Name another file.") from None
        except Refused as refused:
            places = " ".join(f"{error.path}: {error.message}" for error in refused.errors)
            raise CommandError(f"{refused.message} {places}".strip()) from None
        self.stdout.write(json.dumps(told))


def _pairs(given: list[str]) -> dict[str, str]:
    for pair in given:
        if "=" not in pair:
            raise CommandError(f"“{pair}” is no correction. Write it like name='Ana López'.")
    return dict(pair.split("=", 1) for pair in given)
