"""`first_owner`: make the first administrator of an empty portal, and say how to sign in."""

import os
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from feedback_portal.accounts.models import Role, SignInLink, User


class Command(BaseCommand):
    help = "Create the first administrator if there is nobody yet; prints a one-time sign-in link unless a password is given."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        email = os.environ.get("PORTAL_OWNER_EMAIL", "")
        password = os.environ.get("PORTAL_OWNER_PASSWORD", "")
        owner = User.objects.filter(role=Role.ADMIN, is_active=True).order_by("pk").first()
        if owner is None:
            if password:
                try:
                    validate_password(password, User(email=email, name="Owner"))
                except ValidationError as error:
                    raise CommandError("PORTAL_OWNER_PASSWORD: " + " ".join(error.messages)) from None
            owner = User.objects.create_superuser(email or "owner@localhost", password or None, name="Owner")
        if owner.has_usable_password():
            self.stdout.write(f"Sign in as {owner.email} at {settings.BASE_URL}/sign-in/")
            return
        if owner.last_login is None:
            token = SignInLink.issue(owner, at=timezone.now())
            self.stdout.write(f"Sign in as the first owner, once, within a day: {settings.BASE_URL}/sign-in/{token}/")
