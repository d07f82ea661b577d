"""`load_demo`: fill an empty portal with a believable organisation and its last half year."""

import time
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.utils import timezone

from feedback_portal.accounts.models import Role, SignInLink, User
from intake import receiving
from intake.models import Submission
from kpis import effects, recording
from kpis.demo import organisation, playing
from kpis.signals import detecting
from triage.models import ChangedDay


class Command(BaseCommand):
    help = "Fill an empty portal with a believable organisation: teams, topics, rules, six months of feedback, improvements."

    def handle(self, *args: Any, **options: Any) -> None:
        if Submission.objects.exists():
            self.stdout.write("There is feedback here already, so the demo is left out. Nothing was changed.")
            return
        at, began = timezone.now(), time.monotonic()
        self.stdout.write("Halden Coffee moves in: half a year of feedback is received and decided, in about a minute.")
        shown = playing.play(self._owner(), now=at, say=self.stdout.write)
        self.stdout.write("Counting the days …")
        # A drain ends after its time; what the first look shows must be whole, and what is watched as well.
        while ChangedDay.objects.due().exists():
            recording.recount_changed_days(at=timezone.now())
        # What the clock would find in the night, so that the first look shows it.
        detecting.watch(at=timezone.now())
        effects.judge(at=timezone.now())
        self.stdout.write(f"Halden Coffee is ready after {time.monotonic() - began:.0f} s.")
        for person in (organisation.ADA, organisation.PRIYA):
            token = SignInLink.issue(User.objects.get(email=person.email), at=timezone.now())
            self.stdout.write(f"Sign in as {person.name}, once, within a day: {settings.BASE_URL}/sign-in/{token}/")
        self.stdout.write(f"A customer's private page: {receiving.tracking_url(shown)}")

    def _owner(self) -> User:
        owner = User.objects.filter(role=Role.ADMIN, is_active=True).order_by("pk").first()
        if owner is None:
            call_command("first_owner", stdout=self.stdout)
            owner = User.objects.filter(role=Role.ADMIN, is_active=True).order_by("pk")[0]
        return owner
