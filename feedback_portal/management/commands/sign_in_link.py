"""`sign_in_link`: a new one-time sign-in link for a person who cannot sign in."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from feedback_portal.accounts.models import SignInLink, User


class Command(BaseCommand):
    help = "Print a link that signs the person with this e-mail address in, once, within a day."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, email: str, **options: Any) -> None:
        user = User.objects.filter(email__iexact=email, is_active=True).first()
        if user is None:
            raise CommandError(f"Nobody active has the address {email}.")
        self.stdout.write(f"{settings.BASE_URL}/sign-in/{SignInLink.issue(user, at=timezone.now())}/")
