"""`publish_form`: show what a form asks, or have it ask something else from now on."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from feedback_portal.refusals import Refused
from intake import surveys
from intake.models import Form
from intake.questions import read_definition


class Command(BaseCommand):
    help = "Publish what a form asks, from a JSON file; a new slug makes a new form. Without a file, print what it asks now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("form", metavar="SLUG", help="the form, as in /f/SLUG/")
        parser.add_argument("file", nargs="?", type=Path, help="its definition, such as repair.json")
        parser.add_argument(
            "--origin",
            action="append",
            default=[],
            metavar="URL",
            help="the form may stand in frames of this site and of no others; may be repeated",
        )

    def handle(self, *args: Any, form: str, file: Path | None, origin: list[str], **options: Any) -> None:
        known = Form.objects.select_related("current").filter(slug=form).first()
        if file is None:
            if known is None or known.current is None:
                raise CommandError(f'There is no form "{form}". Name a file with its definition to make it.')
            self.stdout.write(json.dumps(known.current.definition, ensure_ascii=False, indent=2))
            return
        try:
            definition = read_definition(json.loads(file.read_text(encoding="utf-8")))
            if known is None:
                known = surveys.create_form(form, name=definition.title[:120], definition=definition)
            surveys.publish(known, definition)
            if origin:
                surveys.allow_frames(known, origin)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
        except ValueError as error:
            raise CommandError(f"{file} is not JSON: {error}.") from None
        except Refused as refused:
            places = "".join(
                f"\n{error.path}: {error.message}" for error in refused.errors if error.message != refused.message
            )
            raise CommandError(f"{refused.message}{places}") from None
        assert known.current is not None, "it was just published"
        url = settings.BASE_URL + reverse("intake:form", args=[known.slug])
        self.stdout.write(json.dumps({"form": known.slug, "version": known.current.number, "url": url}))
