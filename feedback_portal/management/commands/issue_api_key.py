"""`issue_api_key`: print a new API key, once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from feedback_portal.accounts.models import ApiKey, Scope


class Command(BaseCommand):
    help = "Issue an API key with the given scopes; it is shown this once and stored only as a hash."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what the key is for")
        parser.add_argument("--scope", nargs="+", action="extend", required=True, choices=Scope.values)

    def handle(self, *args: Any, name: str, scope: list[str], **options: Any) -> None:
        _, key = ApiKey.issue(name, scopes=sorted(set(scope)))
        self.stdout.write(key)
