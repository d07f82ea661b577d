"""Brings the catalogues of all languages up to what the code says: new texts empty, unused ones gone, and compiles them."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from feedback_portal import catalogues


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="Write nothing; fail if something is missing or wrong."
        )

    def handle(self, *args: Any, check: bool = False, **options: Any) -> None:
        wanted = catalogues.used(settings.BASE_DIR)
        wrong = 0
        for language in catalogues.PLURALS:
            path = catalogues.path_of(settings.BASE_DIR, language)
            known = catalogues.read(path.read_text(encoding="utf-8")) if path.exists() else []
            if not check:
                known = catalogues.merged(wanted, known, language)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(catalogues.written(known, language), encoding="utf-8")
                path.with_suffix(".mo").write_bytes(catalogues.compiled(known, language))
            found = catalogues.problems(wanted, known, language)
            wrong += len(found)
            self.stdout.write(f"{language}: {len(wanted)} texts, {len(found)} to look at")
            for problem in found:
                self.stdout.write(f"  {problem}")
        if check and wrong:
            raise CommandError("Run manage.py catalogues, then write what is missing into the .po files.")
